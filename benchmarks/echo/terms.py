"""The terms of an echo: what is the same for every contestant."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

IN_FLIGHT = 32
PREFETCH = 64  # requests a server may hold; more than are ever in flight, so it holds nobody back
QUEUE_ARGUMENTS = MappingProxyType({"x-queue-type": "classic"})


@dataclass
class Served:
    """How many requests a server has answered."""

    count: int = 0


def body(number: int) -> bytes:
    """What a request carries and its reply must repeat."""
    return b'{"a":%d}' % number
