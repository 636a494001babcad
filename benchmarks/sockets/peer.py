"""A peer: a server that sends the same messages to its own clients, with no broker, token or protocol behind it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, cast

import uvloop

from benchmarks.process import obey, read_job
from benchmarks.sockets.terms import FIRST


class Fanout(Protocol):
    """Everybody who is connected."""

    async def send(self, message: bytes) -> None:
        """Send one message to each."""


Listening: TypeAlias = Callable[[], AbstractAsyncContextManager[tuple[int, Fanout]]]
"""Serves on a free port until the block ends; each peer's module has one under the name `listening`."""


async def serve(module: str, *, message: str) -> None:
    """Send ``message`` with other numbers in it, when told to."""
    listening = cast("Listening", importlib.import_module(f"benchmarks.sockets.{module}").listening)

    def numbered(number: int) -> bytes:
        return message.replace(str(FIRST), str(number)).encode()

    async with listening() as (bound, clients):

        async def port() -> dict[str, Any]:
            return {"port": bound}

        async def settle() -> dict[str, Any]:
            gc.collect()
            gc.freeze()
            return {}

        async def burst(first: str, count: str) -> dict[str, Any]:
            """One message after the other, with a turn of the event loop between them."""
            ready = [numbered(int(first) + one) for one in range(int(count))]
            for each in ready:
                await clients.send(each)
                await asyncio.sleep(0)
            return {}

        async def paced(first: str, count: str, interval: str) -> dict[str, Any]:
            begin = time.perf_counter()
            ready = [numbered(int(first) + one) for one in range(int(count))]
            for number, each in enumerate(ready):
                await asyncio.sleep(begin + number * float(interval) - time.perf_counter())
                await clients.send(each)
            return {}

        orders = (port, settle, burst, paced)
        await obey({order.__name__: order for order in orders})


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], **read_job()))
