"""What the tests of RFC 6455 write and read beside whole frames."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from websockets.frames import Opcode

from tests.fixtures.raw_socket import Raw, raw
from tests.fixtures.signed import signed

TEXT, BINARY, CONT = Opcode.TEXT, Opcode.BINARY, Opcode.CONT
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG
LARGEST = 65_536  # bytes of a message that the gateway reads
ZERO_MASK = bytes(4)


def command(size: int = 0) -> bytes:
    """A connect, padded to so many bytes."""
    return (
        json.dumps({"id": 1, "connect": {"token": signed("ann"), "name": "\u20ac"}}, ensure_ascii=False)
        .encode()
        .ljust(size)
    )


async def is_connected(client: Raw) -> bool:
    """Whether the server has read a connect, whole."""
    opcode, payload = await client.frame()
    return opcode == TEXT and b'"connect"' in payload


def head(first: int, length: bytes) -> bytes:
    """The head of a masked frame, and a mask that changes nothing."""
    return bytes([first]) + length + ZERO_MASK


@asynccontextmanager
async def in_fragments(url: str) -> AsyncGenerator[Raw]:
    """A client that has begun a text message."""
    async with raw(url) as client:
        client.send(TEXT, command()[:20], fin=False)
        yield client
