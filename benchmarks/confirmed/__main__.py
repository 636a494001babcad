"""One process of a confirmed round: `python -m benchmarks.confirmed CONTESTANT publisher|consumer`."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

import uvloop

from benchmarks.confirmed.terms import Ledger
from benchmarks.process import obey, read_job


async def publisher(contestant: Any, url: str) -> None:
    """Publish every message when told to `go`."""
    async with contestant.publishing(url) as publish_all:

        async def go() -> dict[str, Any]:
            cpu, begin = time.process_time(), time.perf_counter()
            confirmed = await publish_all()
            return {"confirmed": confirmed, **_cost(begin, cpu)}

        await obey({"go": go})


async def consumer(contestant: Any, url: str) -> None:
    """Consume every message when told to `go`."""
    async with contestant.consuming(url) as consume_all:

        async def go() -> dict[str, Any]:
            ledger = Ledger()
            cpu, begin = time.process_time(), time.perf_counter()
            await consume_all(ledger)
            return {**_cost(begin, cpu), **ledger.summary()}

        await obey({"go": go})


def _cost(begin: float, cpu: float) -> dict[str, float]:
    return {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    job = read_job()
    name, role = sys.argv[1:]
    contestant = import_module(f"benchmarks.confirmed.{name}")
    uvloop.run((publisher if role == "publisher" else consumer)(contestant, **job))
