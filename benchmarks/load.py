"""Calls kept in flight for a while, and what they cost the process that makes them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Call: TypeAlias = Callable[[int], Awaitable[bool]]
"""Sends a number and waits for the reply; False where the reply is not the one to this request."""

_LAST_REPLIES = 30.0  # s; how long the calls that are in flight at the end may take


async def keep_in_flight(call: Call, *, in_flight: int, seconds: float, first: int = 0) -> dict[str, Any]:
    """Make calls for `seconds`, always `in_flight` at a time, numbered from `first`; every call is waited for."""
    numbers = itertools.count(first)
    latencies: list[float] = []
    mismatched = 0
    clock = time.perf_counter

    async def caller() -> None:
        nonlocal mismatched
        while (sent := clock()) < end:
            matched = await call(next(numbers))
            latencies.append(clock() - sent)
            mismatched += not matched

    cpu = time.process_time()
    begin = clock()
    end = begin + seconds
    async with asyncio.timeout(seconds + _LAST_REPLIES):
        await asyncio.gather(*(caller() for _ in range(in_flight)))
    elapsed, cpu = clock() - begin, time.process_time() - cpu
    return {"mismatched": mismatched, **figures(latencies, elapsed, cpu)}


def figures(latencies: list[float], elapsed: float, cpu: float) -> dict[str, Any]:
    """Rate, CPU and latency of calls that took `latencies` seconds each."""
    latencies.sort()
    calls = len(latencies)
    return {
        "calls": calls,
        "calls_per_s": calls / elapsed,
        "client_cpu_us": cpu / calls * 1e6,
        "p50_ms": latencies[calls // 2] * 1e3,
        "p99_ms": latencies[calls * 99 // 100] * 1e3,
    }
