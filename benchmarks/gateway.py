"""What CPU the gateway spends per request, beside a bare FastAPI route that checks the same token."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks.command import progress, run_alone
from benchmarks.http.stack import Stack, running
from benchmarks.process import Child, child, cores, cpu_seconds, pin
from benchmarks.report import Fields, at_most, circumstances, medians, rounded
from libs.local import LocalServices

CONNECTIONS = 32
ROUNDS = 3
SECONDS = 2.5  # of load in one measurement
KINDS = ("me", "refresh")
LOADS = ("same_rate", "closed_loop")
SHARE = 0.7  # of the rate that the gateway reaches in a closed loop: the rate that both sides are offered

_FIGURES = ("cpu_us", "calls_per_s", "p50_ms", "p99_ms")


@dataclass(frozen=True)
class _Server:
    name: str
    pid: int
    port: int


def run(local: LocalServices) -> Fields:
    """The ratios and every figure that they come from."""
    with running(local) as stack:
        return asyncio.run(_measure(stack))


async def _measure(stack: Stack) -> Fields:
    result = circumstances("fastapi", "starlette", "uvicorn", "httptools", "uvloop", "pydantic", "pyjwt")
    server_core, load_core = cores()
    pin(stack.gateway, server_core)
    pin(stack.auth_svc, load_core)
    sessions = [stack.sign_in(number) for number in range(CONNECTIONS)]
    async with AsyncExitStack() as opened:
        job = _bare_job(stack, sessions[0])
        bare = await opened.enter_async_context(
            child("benchmarks.http.bare_route", core=server_core, job=job)
        )
        servers = (
            _Server("gateway", stack.gateway, stack.port),
            _Server("bare_route", bare.pid, (await bare.order("port"))["port"]),
        )
        loads: dict[tuple[str, str], Child] = {}
        for kind, server in _pairs(servers):
            load = {"port": server.port, "sessions": sessions, "seconds": SECONDS}
            loads[kind, server.name] = await opened.enter_async_context(
                child("benchmarks.http", kind, core=load_core, job=load)
            )
        found = await _rounds(servers, loads)
    return {**_ratios(found), "faults": _faults(found), **found, **result}


def _bare_job(stack: Stack, session: Fields) -> Fields:
    return {
        "keys": stack.ask("GET", "/.well-known/jwks.json"),
        "account": stack.ask("GET", "/v1/auth/me", token=session["access_token"]),
        "tokens": json.dumps(session),
    }


def _pairs(servers: tuple[_Server, ...]) -> Iterator[tuple[str, _Server]]:
    for kind in KINDS:
        for server in servers:
            yield kind, server


async def _rounds(servers: tuple[_Server, ...], loads: dict[tuple[str, str], Child]) -> Fields:
    """Figures by kind, load and server."""
    rounds: dict[tuple[str, str, str], list[Fields]] = defaultdict(list)
    rates = {kind: await _rate(loads[kind, "gateway"]) for kind in KINDS}
    for number in range(ROUNDS):
        for load in LOADS:
            for kind, server in _pairs(servers):
                order = f"go {rates[kind]}" if load == "same_rate" else "go"
                found = await _measured(server, loads[kind, server.name], order)
                rounds[kind, load, server.name].append(found)
                cpu = found["cpu_us"]
                progress(
                    f"{kind} {load} {number + 1}/{ROUNDS} {server.name}: {cpu:.1f} us of CPU per request"
                )
    return {
        kind: {load: {one.name: _summary(rounds[kind, load, one.name]) for one in servers} for load in LOADS}
        for kind in KINDS
    }


async def _rate(gateway: Child) -> int:
    found = await gateway.order("go")
    return int(found["calls_per_s"] * SHARE)


async def _measured(server: _Server, load: Child, order: str) -> Fields:
    before = cpu_seconds(server.pid)
    found = await load.order(order)
    return {**found, "cpu_us": (cpu_seconds(server.pid) - before) / found["calls"] * 1e6}


def _summary(rounds: list[Fields]) -> Fields:
    return {
        **medians(rounds, _FIGURES),
        "rounds_cpu_us": [rounded(one["cpu_us"]) for one in rounds],
        "calls": sum(one["calls"] for one in rounds),
        "unexpected": sum(one["unexpected"] for one in rounds),
    }


def _ratios(found: Fields) -> Fields:
    def cpu_ratio(kind: str, load: str) -> float:
        cpu = {name: each["cpu_us"] for name, each in found[kind][load].items()}
        return at_most(cpu["gateway"], cpu["bare_route"])

    return {
        "cpu_vs_bare_route": cpu_ratio("me", "same_rate"),
        "cpu_vs_bare_route_closed_loop": cpu_ratio("me", "closed_loop"),
        "post_cpu_vs_bare_route": cpu_ratio("refresh", "same_rate"),
        "post_cpu_vs_bare_route_closed_loop": cpu_ratio("refresh", "closed_loop"),
    }


def _faults(found: Fields) -> int:
    return sum(each["unexpected"] for kind in KINDS for load in LOADS for each in found[kind][load].values())


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
