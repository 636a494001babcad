"""What it costs the gateway to tell 1,000 clients what happened, and to keep 10,000 that are told nothing."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.command import progress, run_alone
from benchmarks.http.stack import Stack, running
from benchmarks.process import Child, child, cores, cpu_seconds, pin
from benchmarks.report import Fields, at_most, circumstances, medians, rounded
from benchmarks.sockets.terms import CHANNEL, FIRST, GATEWAY_PATH, Size
from libs.local import LocalServices

PEERS = ("raw_write", "picows_server", "plain_uvicorn")
ACCOUNTS = 1_000
_SIGN_INS = 4  # at a time
_CHEAP_HASHES = {"AUTH_HASH_MEMORY": "7168", "AUTH_HASH_PASSES": "1"}  # passwords are not what is measured
_FAULTS = ("missing", "doubled", "disordered", "closed")


@dataclass(frozen=True)
class _Contestant:
    """A server, who makes it send, and who counts what came."""

    name: str
    pid: int
    source: Child
    load: Child


class _Numbers:
    """Numbers for events, none of them twice."""

    def __init__(self) -> None:
        self._next = FIRST

    def take(self, count: int) -> int:
        self._next += count
        return self._next - count


def run(local: LocalServices, size: Size | None = None) -> Fields:
    """The figures that the gateway is held to, the ratios, and everything that they come from."""
    with running(local, **_CHEAP_HASHES) as stack:
        return asyncio.run(_Run(local, stack, size or Size()).measure())


class _Run:
    """One run: who takes part, and the rounds."""

    def __init__(self, local: LocalServices, stack: Stack, size: Size) -> None:
        self._local = local
        self._stack = stack
        self._size = size
        self._numbers = _Numbers()
        self._server_core, self._load_core = cores()

    async def measure(self) -> Fields:
        result = circumstances("picows", "uvicorn", "websockets", "uvloop", "pydantic")
        result["versions"]["rabbitmq"] = self._local.rabbitmq.ctl("version").strip()
        with ThreadPoolExecutor(_SIGN_INS) as pool:
            accounts = range(min(ACCOUNTS, self._size.idle))
            tokens = [one["access_token"] for one in pool.map(self._stack.sign_in, accounts)]
        self._pin_everything()
        empty = self._memory()
        async with AsyncExitStack() as opened:
            gateway = await self._gateway(opened, tokens)
            events = await self._with_peers(gateway)
            crowd = await self._crowd(gateway)
        found = {"events": events, "idle": {**crowd, "empty_process_bytes": empty}}
        return {**_held(events, crowd), "faults": _faults(events, crowd), **found, **result}

    def _pin_everything(self) -> None:
        """The gateway on one core; the services behind it share the other one with the load."""
        for process in psutil.Process().children(recursive=True):
            pin(process.pid, self._load_core)
        pin(self._stack.gateway, self._server_core)

    async def _gateway(self, opened: AsyncExitStack, tokens: list[str]) -> _Contestant:
        url = {"url": self._local.rabbitmq.url}
        source = await opened.enter_async_context(
            child("benchmarks.sockets.publisher", core=self._load_core, job=url)
        )
        job = {"port": self._stack.port, "path": GATEWAY_PATH, "tokens": tokens, "channel": CHANNEL}
        load = await opened.enter_async_context(child("benchmarks.sockets", core=self._load_core, job=job))
        await load.order(f"connect {self._size.subscribers}")
        return _Contestant("gateway", self._stack.gateway, source, load)

    async def _peer(self, opened: AsyncExitStack, name: str, message: str) -> _Contestant:
        server = await opened.enter_async_context(
            child("benchmarks.sockets.peer", name, core=self._server_core, job={"message": message})
        )
        job = {"port": (await server.order("port"))["port"], "path": "/", "tokens": []}
        load = await opened.enter_async_context(child("benchmarks.sockets", core=self._load_core, job=job))
        await load.order(f"connect {self._size.subscribers}")
        await server.order("settle")
        return _Contestant(name, server.pid, server, load)

    async def _with_peers(self, gateway: _Contestant) -> Fields:
        """Rounds of events, in turns; the peers are gone afterwards."""
        async with AsyncExitStack() as opened:
            message = await self._sample(gateway)
            contestants = [gateway, *[await self._peer(opened, name, message) for name in PEERS]]
            for one in contestants:
                await self._round(one, "burst", self._size.burst)  # to warm up
            rounds: dict[str, dict[str, list[Fields]]] = defaultdict(lambda: defaultdict(list))
            kinds = [("paced", self._size.paced)] * self._size.paced_rounds
            kinds += [("burst", self._size.burst)] * self._size.burst_rounds
            for kind, count in kinds:
                for one in contestants:
                    found = await self._round(one, kind, count)
                    progress(f"{kind} {one.name}: {found['us_per_delivery']:.2f} us of CPU per delivery")
                    rounds[kind][one.name].append(found)
        return {kind: {name: _summary(of) for name, of in each.items()} for kind, each in rounds.items()}

    async def _sample(self, gateway: _Contestant) -> str:
        """The first event as clients get it; the peers send the same, with other numbers."""
        await gateway.load.order("expect 1")
        await gateway.source.order(f"burst {self._numbers.take(1)} 1")
        await gateway.load.order("finish")
        return str((await gateway.load.order("sample"))["message"])

    async def _round(self, one: _Contestant, kind: str, count: int) -> Fields:
        first = self._numbers.take(count)
        pace = f" {self._size.interval}" if kind == "paced" else ""
        await one.load.order(f"expect {count}")
        before = cpu_seconds(one.pid)
        published = await one.source.order(f"{kind} {first} {count}{pace}")
        came = await one.load.order("finish")
        cpu = cpu_seconds(one.pid) - before
        counted = await one.load.order(f"accounted {first} {count}")
        last = counted.pop("last")
        delays = {
            name: [(end - begin) * 1e3 for begin, end in zip(times, last, strict=True)]
            for name, times in published.items()
        }
        per_delivery = cpu / (count * self._size.subscribers) * 1e6
        return {**counted, "closed": came["closed"], "us_per_delivery": per_delivery, "delays": delays}

    async def _crowd(self, gateway: _Contestant) -> Fields:
        """Many clients that are told nothing: what they cost, and that each was there all the time."""
        opened = await gateway.load.order(f"connect {self._size.idle}")
        await asyncio.sleep(self._size.idle_seconds / 2)  # until each was pinged once
        before, pongs = cpu_seconds(gateway.pid), (await gateway.load.order("finish"))["pongs"]
        await asyncio.sleep(self._size.idle_seconds)
        cpu, memory = cpu_seconds(gateway.pid) - before, self._memory()
        answered = (await gateway.load.order("finish"))["pongs"] - pongs
        progress(f"idle: {cpu / self._size.idle_seconds:.2%} of a core, {memory / self._size.idle:.0f} bytes")
        return {
            "connections": opened["connections"],
            "seconds": self._size.idle_seconds,
            "cpu_seconds": rounded(cpu),
            "share_of_a_core": rounded(cpu / self._size.idle_seconds),
            "pongs": answered,
            "process_bytes": memory,
            "event_to_all": await self._event_to_all(gateway),
        }

    async def _event_to_all(self, gateway: _Contestant) -> Fields:
        first = self._numbers.take(1)
        await gateway.load.order("expect 1")
        await gateway.source.order(f"burst {first} 1")
        closed = (await gateway.load.order("finish"))["closed"]
        counted = await gateway.load.order(f"accounted {first} 1")
        return {name: counted[name] for name in counted if name != "last"} | {"closed": closed}

    def _memory(self) -> int:
        """Resident bytes of the gateway's process."""
        return int(psutil.Process(self._stack.gateway).memory_info().rss)


def _summary(rounds: list[Fields]) -> Fields:
    found = {
        **medians(rounds, ("us_per_delivery", "reads")),
        "rounds_us_per_delivery": [rounded(one["us_per_delivery"]) for one in rounds],
        **{name: sum(one[name] for one in rounds) for name in ("deliveries", *_FAULTS)},
    }
    for name in rounds[0]["delays"]:
        delays = sorted(delay for one in rounds for delay in one["delays"][name])
        for share in (50, 99):
            found[f"p{share}_ms_from_{name}"] = rounded(delays[len(delays) * share // 100])
    return found


def _held(events: Fields, crowd: Fields) -> Fields:
    """What is promised of the gateway, in figures."""
    paced, burst = events["paced"], events["burst"]["gateway"]
    return {
        "paced_vs_raw_write": at_most(
            paced["gateway"]["us_per_delivery"], paced["raw_write"]["us_per_delivery"]
        ),
        "burst_us_per_delivery": burst["us_per_delivery"],
        "burst_p99_ms": burst["p99_ms_from_confirmed"],
        "bytes_per_connection": round(crowd["process_bytes"] / crowd["connections"]),
        "idle_cpu_10k": crowd["share_of_a_core"],
    }


def _faults(events: Mapping[str, Mapping[str, Fields]], crowd: Fields) -> int:
    counted: list[dict[str, Any]] = [one for each in events.values() for one in each.values()]
    return sum(one[name] for one in (*counted, crowd["event_to_all"]) for name in _FAULTS)


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
