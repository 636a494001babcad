"""Who sends and who counts: the gateway with its publisher, and each peer, with a load of subscribers of its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

from benchmarks.http.stack import Stack
from benchmarks.process import Child, child, cores, cpu_seconds
from benchmarks.report import Fields
from benchmarks.sockets.terms import CHANNEL, FIRST, GATEWAY_PATH


class Numbers:
    """Numbers for events, none of them twice."""

    def __init__(self) -> None:
        self._next = FIRST

    def take(self, count: int) -> int:
        """The first of ``count`` numbers."""
        self._next += count
        return self._next - count


@dataclass(frozen=True)
class Contestant:
    """A server, who makes it send, and who counts what came."""

    name: str
    pid: int
    source: Child
    load: Child
    numbers: Numbers

    async def round(self, kind: str, count: int, interval: float = 0.0) -> Fields:
        """Send ``count`` events to everybody, paced or in a burst; CPU, faults, and each event's delays (ms)."""
        first = self.numbers.take(count)
        order = f"{kind} {first} {count}" + (f" {interval}" if kind == "paced" else "")
        await self.load.order(f"expect {count}")
        before = cpu_seconds(self.pid)
        published = await self.source.order(order)
        came = await self.load.order("finish")
        cpu = cpu_seconds(self.pid) - before
        counted = await self.load.order(f"accounted {first} {count}")
        last = counted.pop("last")
        delays = {
            f"from_{name}": [(end - begin) * 1e3 for begin, end in zip(times, last, strict=True)]
            for name, times in published.items()
        }
        per_delivery = cpu / max(1, counted["deliveries"]) * 1e6
        return {**counted, "closed": came["closed"], "us_per_delivery": per_delivery, "delays": delays}


def publisher(url: str, **what: str | int) -> AbstractAsyncContextManager[Child]:
    """The service that publishes."""
    return child("benchmarks.sockets.publisher", core=cores()[1], job={"url": url, **what})


def subscribers(
    port: int, tokens: list[str], channels: tuple[str, ...] = ()
) -> AbstractAsyncContextManager[Child]:
    """A load without connections yet; with tokens its clients speak the protocol of the gateway."""
    job = {"port": port, "path": GATEWAY_PATH, "tokens": tokens, "channels": channels}
    return child("benchmarks.sockets", core=cores()[1], job=job)


async def gateway(opened: AsyncExitStack, stack: Stack, broker_url: str, tokens: list[str]) -> Contestant:
    """The gateway of ``stack``, made to send by a publisher over the bus; nobody is connected yet."""
    source = await opened.enter_async_context(publisher(broker_url))
    load = await opened.enter_async_context(subscribers(stack.port, tokens, (CHANNEL,)))
    return Contestant("gateway", stack.gateway, source, load, Numbers())


async def peer(opened: AsyncExitStack, name: str, message: str, connections: int) -> Contestant:
    """A peer that sends what the gateway has sent as ``message``, with other numbers."""
    server = await opened.enter_async_context(
        child("benchmarks.sockets.peer", name, core=cores()[0], job={"message": message})
    )
    port = (await server.order("port"))["port"]
    load = await opened.enter_async_context(subscribers(port, []))
    await load.order(f"connect {connections}")
    await server.order("settle")
    return Contestant(name, server.pid, server, load, Numbers())
