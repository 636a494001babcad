"""One process of an echo round: `python -m benchmarks.echo MODULE server|client`."""

from __future__ import annotations

import sys
import time
from typing import Any

import uvloop

from benchmarks.echo.contestants import calling, serving
from benchmarks.echo.terms import IN_FLIGHT, Served
from benchmarks.load import keep_in_flight
from benchmarks.process import obey, read_job

_WARM_UP = 0.3  # s


async def serve(module: str, url: str, *, options: dict[str, bool]) -> None:
    """Answer until told to stop; `count` tells how many requests were answered and what CPU that took so far."""
    served = Served()

    async def count() -> dict[str, Any]:
        return {"served": served.count, "cpu": time.process_time()}

    async with serving(module)(url, served, **options):
        await obey({"count": count})


async def load(module: str, url: str, *, seconds: float, options: dict[str, bool]) -> None:
    """Warm up, then call for `seconds` when told to `go`."""
    async with calling(module)(url, **options) as call:
        warm = await keep_in_flight(call, in_flight=IN_FLIGHT, seconds=_WARM_UP)

        async def go() -> dict[str, Any]:
            return await keep_in_flight(call, in_flight=IN_FLIGHT, seconds=seconds, first=warm["calls"])

        await obey({"go": go})


if __name__ == "__main__":
    job = read_job()
    contestant, role = sys.argv[1:]
    uvloop.run(serve(contestant, **job) if role == "server" else load(contestant, **job))
