"""What it costs the gateway to tell 1,000 clients what happened, and to keep 10,000 that are told nothing."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import psutil

from benchmarks.command import progress, run_alone
from benchmarks.http.stack import Stack, running
from benchmarks.process import cores, cpu_seconds, pin
from benchmarks.report import Fields, at_most, circumstances, rounded
from benchmarks.sockets import contestants
from benchmarks.sockets.contestants import Contestant
from benchmarks.sockets.rounds import FAULTS, summary
from benchmarks.sockets.slow import beside_slow_clients
from benchmarks.sockets.terms import Size
from libs.local import LocalServices

PEERS = ("raw_write", "picows_server", "plain_uvicorn")
ACCOUNTS = 1_000
_SIGN_INS = 4  # at a time


def run(local: LocalServices, size: Size | None = None) -> Fields:
    """The figures that the gateway is held to, and everything that they come from."""
    # Cheap hashes: passwords are not what is measured.
    with running(local, AUTH_HASH_MEMORY="7168", AUTH_HASH_PASSES="1") as stack:
        return asyncio.run(_measure(local, stack, size or Size()))


async def _measure(local: LocalServices, stack: Stack, size: Size) -> Fields:
    result = circumstances("picows", "uvicorn", "websockets", "uvloop", "pydantic")
    result["versions"]["rabbitmq"] = local.rabbitmq.ctl("version").strip()
    with ThreadPoolExecutor(_SIGN_INS) as pool:
        tokens = [one["access_token"] for one in pool.map(stack.sign_in, range(min(ACCOUNTS, size.idle)))]
    _pin_everything(stack)
    empty = _memory(stack)
    async with AsyncExitStack() as opened:
        gateway = await contestants.gateway(opened, stack, local.rabbitmq.url, tokens)
        await gateway.load.order(f"connect {size.subscribers}")
        events = await _events(gateway, size)
        slow = await beside_slow_clients(gateway, stack, local.rabbitmq.url, tokens, size)
        idle = {"empty_process_bytes": empty, **await _idle(gateway, stack, size)}
    found = {"paced": events["paced"], "burst": events["burst"], "slow": slow, "idle": idle}
    return {**_held(found), "faults": _faults(found), **found, **result}


def _pin_everything(stack: Stack) -> None:
    """The gateway on one core; the services behind it share the other one with the load."""
    server_core, load_core = cores()
    for process in psutil.Process().children(recursive=True):
        pin(process.pid, load_core)
    pin(stack.gateway, server_core)


async def _events(gateway: Contestant, size: Size) -> dict[str, Fields]:
    """Rounds of events, in turns; the peers are gone afterwards."""
    rounds: dict[str, dict[str, list[Fields]]] = {"paced": defaultdict(list), "burst": defaultdict(list)}
    async with AsyncExitStack() as opened:
        await gateway.round("burst", 1)
        message = (await gateway.load.order("sample"))["message"]
        peers = [await contestants.peer(opened, name, message, size.subscribers) for name in PEERS]
        for one in (gateway, *peers):
            await one.round("burst", size.burst)  # to warm up
        for kind, count, times in (
            ("paced", size.paced, size.paced_rounds),
            ("burst", size.burst, size.burst_rounds),
        ):
            for number in range(times):
                for one in (gateway, *peers):
                    found = await one.round(kind, count, size.interval)
                    rounds[kind][one.name].append(found)
                    cpu = found["us_per_delivery"]
                    progress(f"{kind} {number + 1}/{times} {one.name}: {cpu:.2f} us of CPU per delivery")
    return {kind: {name: summary(of) for name, of in each.items()} for kind, each in rounds.items()}


async def _idle(gateway: Contestant, stack: Stack, size: Size) -> Fields:
    """Many clients that are told nothing: what they cost, and that each was there all the time."""
    connected = await gateway.load.order(f"connect {size.idle}")
    await asyncio.sleep(size.settle_seconds)  # from now on each is pinged twice in two intervals
    before, pongs = cpu_seconds(gateway.pid), (await gateway.load.order("finish"))["pongs"]
    await asyncio.sleep(size.idle_seconds)
    cpu, memory = cpu_seconds(gateway.pid) - before, _memory(stack)
    pongs = (await gateway.load.order("finish"))["pongs"] - pongs
    share = cpu / size.idle_seconds
    progress(f"idle: {share:.2%} of a core, {memory / connected['connections']:.0f} bytes per connection")
    to_all = await gateway.round("burst", 1)
    return {
        "connections": connected["connections"],
        "seconds": size.idle_seconds,
        "share_of_a_core": rounded(share),
        "us_per_ping": rounded(cpu / max(1, pongs) * 1e6),
        "pongs": pongs,
        "process_bytes": memory,
        **{name: to_all[name] for name in ("deliveries", *FAULTS)},
    }


def _memory(stack: Stack) -> int:
    """Resident bytes of the gateway's process."""
    return int(psutil.Process(stack.gateway).memory_info().rss)


def _held(found: Fields) -> Fields:
    """What is promised of the gateway, in figures."""
    paced, burst, idle = found["paced"], found["burst"]["gateway"], found["idle"]
    cpu = {name: one["us_per_delivery"] for name, one in paced.items()}
    return {
        "paced_vs_raw_write": at_most(cpu["gateway"], cpu["raw_write"]),
        "burst_us_per_delivery": burst["us_per_delivery"],
        "burst_p99_ms": burst["p99_ms_from_confirmed"],
        "bytes_per_connection": round(idle["process_bytes"] / idle["connections"]),
        "idle_cpu_10k": idle["share_of_a_core"],
    }


def _faults(found: Fields) -> int:
    """Whatever somebody did not get as it should be, and whoever stopped reading and was not sent away."""
    slow: Fields = found["slow"]
    counted = [*found["paced"].values(), *found["burst"].values(), *slow.values(), found["idle"]]
    lingering = slow["stalled"]["clients"] - slow["stalled"]["closed_with_3008"]
    return int(sum(one[name] for one in counted for name in FAULTS) + lingering)


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
