"""What CPU the gateway spends per request, beside a bare FastAPI route that checks the same token."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.command import progress, run_alone
from benchmarks.http.stack import Stack, running
from benchmarks.process import Child, child, cores
from benchmarks.report import Fields, at_most, circumstances, medians, rounded
from libs.local import LocalServices

CONNECTIONS = 32
ROUNDS = 5
SECONDS = 3.0  # of load in one round, after the warm-up
KINDS = ("me", "refresh")

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
    _pin(stack.gateway, server_core)
    _pin(stack.auth_svc, load_core)
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
    rounds: dict[str, dict[str, list[Fields]]] = {kind: {one.name: [] for one in servers} for kind in KINDS}
    for number in range(ROUNDS):
        for kind, server in _pairs(servers):
            before = _cpu(server.pid)
            found = await loads[kind, server.name].order("go")
            found["cpu_us"] = (_cpu(server.pid) - before) / found["calls"] * 1e6
            rounds[kind][server.name].append(found)
            progress(
                f"{kind} {number + 1}/{ROUNDS} {server.name}: {found['cpu_us']:.1f} us of CPU per request"
            )
    return {kind: {name: _summary(each) for name, each in of.items()} for kind, of in rounds.items()}


def _summary(rounds: list[Fields]) -> Fields:
    return {
        **medians(rounds, _FIGURES),
        "rounds_cpu_us": [rounded(one["cpu_us"]) for one in rounds],
        "calls": sum(one["calls"] for one in rounds),
        "unexpected": sum(one["unexpected"] for one in rounds),
    }


def _ratios(found: Fields) -> Fields:
    cpu = {kind: {name: each["cpu_us"] for name, each in found[kind].items()} for kind in KINDS}
    return {
        "cpu_vs_bare_route": at_most(cpu["me"]["gateway"], cpu["me"]["bare_route"]),
        "post_cpu_vs_bare_route": at_most(cpu["refresh"]["gateway"], cpu["refresh"]["bare_route"]),
    }


def _faults(found: Fields) -> int:
    return sum(each["unexpected"] for kind in KINDS for each in found[kind].values())


def _cpu(pid: int) -> float:
    """Seconds of user and system time of a process, all its threads."""
    times: Any = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
