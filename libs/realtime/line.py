"""The way to one client, as fan-out sees it: ports that each kind of transport keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from libs.realtime.protocol import Codec


class Format(Protocol):
    """A kind of connection: an encoding, and how its transport frames messages."""

    codec: Codec
    ping: bytes
    """A ping, as it travels."""

    def frames(self, messages: Sequence[bytes]) -> bytes:
        """The messages as they travel."""

    def join(self, frames: Sequence[bytes]) -> bytes:
        """Several results of `frames` as one."""


class Line(Protocol):
    """The way to one client, as the hub sees it."""

    __slots__ = ()

    format: Format
    due: list[bytes]
    """Frames that leave at the end of this turn."""
    write: Callable[[bytes], object]
    """Hands bytes to the transport: it does not wait, nor change who listens. Where it raises, the line is aborted."""

    def abort(self) -> None:
        """Cut the line, without changing at once who listens."""
