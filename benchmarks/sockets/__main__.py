"""One load of subscribers: `python -m benchmarks.sockets`."""

from __future__ import annotations

import gc
import resource
import time
from typing import Any

import uvloop

from benchmarks.process import obey, read_job
from benchmarks.sockets.ledger import account, close_code, messages
from benchmarks.sockets.subscriber import Board

_WITHIN = 30.0  # s; how long a round's events may take


async def load(*, port: int, path: str, tokens: list[str], channels: list[str]) -> None:
    """Hold connections, and say what came over them."""
    board = Board(port, path, channels)

    async def connect(count: str) -> dict[str, Any]:
        begin = time.perf_counter()
        await board.connect(int(count), tokens)
        gc.collect()
        gc.freeze()
        return {"connections": len(board.clients), "seconds": time.perf_counter() - begin}

    async def expect(events: str) -> dict[str, Any]:
        board.expect(int(events))
        return {}

    async def finish() -> dict[str, Any]:
        await board.complete(_WITHIN)
        return {"closed": board.closed, "pongs": board.pongs}

    async def accounted(first: str, count: str) -> dict[str, Any]:
        return account((client.arrivals for client in board.clients), int(first), int(count))

    async def sample() -> dict[str, Any]:
        """A message as it came, for those who are to send the same."""
        pushes = [one for _, one in messages(board.clients[0].arrivals) if one != b"{}"]
        return {"message": pushes[-1].decode()}

    async def stall() -> dict[str, Any]:
        board.stall()
        return {}

    async def ended(within: str) -> dict[str, Any]:
        """Read on until the server has closed every connection; with which codes it did."""
        await board.ended(float(within))
        codes = [close_code(client.arrivals) for client in board.clients]
        board.forget()
        return {"codes": codes}

    orders = (connect, expect, finish, accounted, sample, stall, ended)
    await obey({order.__name__: order for order in orders})


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(load(**read_job()))
