"""The rounds of the echo: every contestant in turn, again and again, each time in fresh processes."""

from __future__ import annotations

import psutil

from benchmarks.command import progress
from benchmarks.echo.contestants import ALL, Contestant
from benchmarks.process import child, cores
from benchmarks.report import Fields, medians, rounded
from libs.local import RabbitMQ

ROUNDS = 9  # the host itself drifts by a tenth and more within a minute
SECONDS = 2.0  # of load in one round of one contestant, after its warm-up

_FIGURES = ("calls_per_s", "client_cpu_us", "server_cpu_us", "broker_cpu_us", "p50_ms", "p99_ms")


async def measure(broker: RabbitMQ) -> dict[str, Fields]:
    """Each contestant's figures: medians of the rounds, every round's rate, and what was counted."""
    rounds: dict[str, list[Fields]] = {one.name: [] for one in ALL}
    for number in range(ROUNDS):
        for contestant in ALL:
            found = await _round(contestant, broker)
            rounds[contestant.name].append(found)
            rate = found["calls_per_s"]
            progress(f"echo {number + 1}/{ROUNDS} {contestant.name}: {rate:,.0f} calls/s")
    return {name: _summary(found) for name, found in rounds.items()}


async def _round(contestant: Contestant, broker: RabbitMQ) -> Fields:
    module, url = contestant.module, broker.url
    serving_core, calling_core = cores()
    answering = {"url": url, "options": dict(contestant.server)}
    load = {"url": url, "seconds": SECONDS, "options": dict(contestant.client)}
    async with (
        child("benchmarks.echo", module, "server", core=serving_core, job=answering) as server,
        child("benchmarks.echo", module, "client", core=calling_core, job=load) as client,
    ):
        before, broker_before = await server.order("count"), _cpu(broker)
        found = await client.order("go")
        after, broker_after = await server.order("count"), _cpu(broker)
    calls = found["calls"]
    return {
        **found,
        "served": after["served"] - before["served"],
        "server_cpu_us": (after["cpu"] - before["cpu"]) / calls * 1e6,
        "broker_cpu_us": (broker_after - broker_before) / calls * 1e6,
    }


def _cpu(broker: RabbitMQ) -> float:
    times = psutil.Process(broker.pid).cpu_times()
    return times.user + times.system


def _summary(rounds: list[Fields]) -> Fields:
    calls = sum(one["calls"] for one in rounds)
    served = sum(one["served"] for one in rounds)
    return {
        **medians(rounds, _FIGURES),
        "rounds_calls_per_s": [rounded(one["calls_per_s"]) for one in rounds],
        "calls": calls,
        "mismatched": sum(one["mismatched"] for one in rounds),
        "served_beside_calls": served - calls,
    }
