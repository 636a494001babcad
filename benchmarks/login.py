"""What a storm of logins at ten times the capacity does to logins, to refreshes, and to the memory."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

import psutil

from benchmarks.command import progress, run_alone
from benchmarks.http.stack import PASSWORD, Stack, running
from benchmarks.process import Child, child, cores, pin
from benchmarks.report import Fields, at_least, at_most, circumstances, medians, rounded
from libs.auth import PasswordSettings
from libs.local import LocalServices

ACCOUNTS = 16
ROUNDS = 5
SECONDS = 10.0  # of each measurement
ONSET = 1.0  # s before and after, in which the storm alone blows: its connections are made all at once, as no client does
TIMES = 10  # the storm, by what the hash pool can do
CONNECTIONS = 256  # over which the storm comes
PROBE_RATE = 20  # refreshes a second, and as many requests for the account itself
TIMED_PAIRS = 150  # wrong passwords for a known and for an unknown account

# One client has the one address and makes every attempt: the throttles are not what is measured here.
_WIDE = {
    "AUTH_THROTTLE_ATTEMPTS": "1000000",
    "AUTH_THROTTLE_LOGIN_ATTEMPTS": "1000000",
    "AUTH_THROTTLE_LOGIN_LIMIT": "1000000",
    "AUTH_LOGIN_FAILURES_PER_HOUR": "0",
}
# The load and the gateway are on this machine, too: they get a core, and hashes the others. Broker and database run on any.
LOAD_CORE = cores()[1]
HASH_CORES = sorted(os.sched_getaffinity(0) - {LOAD_CORE}) or [LOAD_CORE]
_HASHING = {"AUTH_HASH_CORES": ",".join(map(str, HASH_CORES))}
_FIGURES = ("calls_per_s", "p50_ms", "p99_ms")


def run(local: LocalServices) -> Fields:
    """The figures that the platform is held to, and everything that they come from."""
    with running(local, gateways=1, **_HASHING, **_WIDE) as stack:
        pin(stack.gateway, LOAD_CORE)
        return asyncio.run(_measure(stack))


@dataclass(frozen=True)
class _Parts:
    """The processes that measure."""

    raw: Child
    storm: Child
    probes: dict[str, Child]
    timing: Child


@dataclass
class _Memory:
    """The most memory that each service's process held while it was watched (bytes)."""

    pids: dict[str, int]
    peaks: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[dict[str, int]]:
        """The peaks within this block, filled while it runs."""
        peaks = dict.fromkeys(self.pids, 0)
        watching = asyncio.create_task(self._watch(peaks))
        try:
            yield peaks
        finally:
            watching.cancel()

    async def _watch(self, peaks: dict[str, int]) -> None:
        processes = {name: psutil.Process(pid) for name, pid in self.pids.items()}
        while True:
            for name, process in processes.items():
                peaks[name] = max(peaks[name], process.memory_info().rss)
            await asyncio.sleep(0.1)


async def _measure(stack: Stack) -> Fields:
    result = circumstances("argon2-cffi", "fastapi", "uvicorn", "uvloop", "pydantic", "sqlalchemy", "asyncpg")
    sessions = [stack.sign_in(number) for number in range(ACCOUNTS)]
    memory = _Memory({"auth_svc": stack.auth_svc, "gateway": stack.gateway})
    async with AsyncExitStack() as opened:
        parts = await _parts(opened, stack, sessions)
        capacity = (await parts.raw.order("go 2"))["hashes_per_s"]
        async with memory.watched() as before:
            await parts.storm.order(f"go {capacity * TIMES} {SECONDS}")  # a warm-up
        async with memory.watched() as after:
            rounds = [await _round(parts, number) for number in range(ROUNDS)]
        timed = await parts.timing.order("go")
    found = _summary(rounds)
    return {
        **found,
        "rss_growth": at_most(*max((after[name], before[name]) for name in before)),
        "rss_peak_mib": {name: rounded(peak / 2**20) for name, peak in after.items()},
        "known_vs_unknown": _indistinguishable(timed["known"], timed["unknown"]),
        "hash_threads": len(HASH_CORES),
        **result,
    }


async def _parts(opened: AsyncExitStack, stack: Stack, sessions: list[Fields]) -> _Parts:
    settings, logins = PasswordSettings(), [f"bench{number}@example.com" for number in range(ACCOUNTS)]

    async def part(kind: str, **job: object) -> Child:
        return await opened.enter_async_context(
            child("benchmarks.logins", kind, core=LOAD_CORE, job={"port": stack.port, **job})
        )

    async def probe(kind: str, chosen: list[Fields]) -> Child:
        job = {"port": stack.port, "sessions": chosen, "seconds": SECONDS}
        return await opened.enter_async_context(child("benchmarks.http", kind, core=LOAD_CORE, job=job))

    half = ACCOUNTS // 2
    hashing = {"memory": settings.memory, "passes": settings.passes, "threads": len(HASH_CORES)}
    raw = {**hashing, "cores": HASH_CORES}
    return _Parts(
        raw=await opened.enter_async_context(child("benchmarks.logins", "raw", core=LOAD_CORE, job=raw)),
        storm=await part("storm", logins=logins, password=PASSWORD, connections=CONNECTIONS),
        probes={"refresh": await probe("refresh", sessions[:half]), "me": await probe("me", sessions[half:])},
        timing=await part("timing", known=logins, pairs=TIMED_PAIRS),
    )


async def _round(parts: _Parts, number: int) -> Fields:
    """The pool alone, then a quiet service, then the storm, then the pool alone again."""
    alone = await parts.raw.order(f"go {SECONDS / 2}")
    quiet = await _probed(parts)
    rate = alone["hashes_per_s"] * TIMES
    storming = asyncio.create_task(parts.storm.order(f"go {rate} {SECONDS + 2 * ONSET}"))
    await asyncio.sleep(ONSET)
    stormy = await _probed(parts)
    storm = await storming
    again = await parts.raw.order(f"go {SECONDS / 2}")
    alone = {"hashes_per_s": (alone["hashes_per_s"] + again["hashes_per_s"]) / 2}
    served = storm["200"]["calls_per_s"]
    progress(
        f"{number + 1}/{ROUNDS}: {served:.1f} logins/s of {alone['hashes_per_s']:.1f} hashes/s; refresh p99 "
        f"{quiet['refresh']['p99_ms']:.1f} -> {stormy['refresh']['p99_ms']:.1f} ms, "
        f"me {quiet['me']['p99_ms']:.1f} -> {stormy['me']['p99_ms']:.1f} ms"
    )
    return {**alone, "storm": storm, "quiet": quiet, "stormy": stormy}


async def _probed(parts: _Parts) -> dict[str, Fields]:
    """Refreshes and requests for the account itself, side by side."""
    found = await asyncio.gather(*(one.order(f"go {PROBE_RATE}") for one in parts.probes.values()))
    return dict(zip(parts.probes, found, strict=True))


def _summary(rounds: list[Fields]) -> Fields:
    raw = medians(rounds, ("hashes_per_s",))["hashes_per_s"]
    served = medians([one["storm"]["200"] for one in rounds], _FIGURES)
    refused = medians([one["storm"]["503"] for one in rounds], _FIGURES)
    probes = {
        kind: {
            when: medians([one[load][kind] for one in rounds], _FIGURES)
            for when, load in (("quiet", "quiet"), ("storm", "stormy"))
        }
        for kind in ("refresh", "me")
    }
    return {
        "logins_vs_raw_hash": at_least(median(_share(one) for one in rounds), 1),
        "refresh_p99_storm_vs_quiet": _times(probes["refresh"]),
        "me_p99_storm_vs_quiet": _times(probes["me"]),
        "refused": sum(one["storm"]["503"]["calls"] for one in rounds),
        "faults": _faults(rounds),
        "hashes_per_s": raw,
        "served": served,
        "refusals": refused,
        **probes,
        "rounds": [
            {
                "hashes_per_s": rounded(one["hashes_per_s"]),
                "logins_per_s": rounded(one["storm"]["200"]["calls_per_s"]),
            }
            for one in rounds
        ],
    }


def _share(one: Fields) -> float:
    """Of what the pool alone hashed around a storm, what was served in it."""
    return float(one["storm"]["200"]["calls_per_s"] / one["hashes_per_s"])


def _times(probe: dict[str, Fields]) -> float:
    return at_most(probe["storm"]["p99_ms"], probe["quiet"]["p99_ms"])


def _faults(rounds: list[Fields]) -> int:
    """Answers that are neither a success nor an orderly refusal."""
    answers = [one["storm"] for one in rounds]
    answers += [probe for one in rounds for load in ("quiet", "stormy") for probe in one[load].values()]
    return sum(one["unexpected"] for one in answers)


def _indistinguishable(known: list[float], unknown: list[float]) -> Fields:
    """A rank test (Mann-Whitney): how often a known account takes longer than an unknown one; 0.5 tells nothing.

    `z` beyond 3 would be a difference that chance does not make.
    """
    ordered = sorted(unknown)
    wins = sum((bisect_left(ordered, one) + bisect_right(ordered, one)) / 2 for one in known)
    n, m = len(known), len(unknown)
    return {
        "takes_longer": rounded(wins / (n * m)),
        "z": rounded((wins - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)),
        "p50_known_ms": rounded(sorted(known)[n // 2]),
        "p50_unknown_ms": rounded(ordered[m // 2]),
    }


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
