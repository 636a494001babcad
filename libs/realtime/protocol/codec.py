"""The port of an encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libs.realtime.codes import Error
from libs.realtime.protocol.replies import Push, Result
from libs.realtime.protocol.requests import Command


class Malformed(Exception):
    """A frame that is not the protocol's."""


class Codec(Protocol):
    """One encoding of the protocol. It does no I/O and keeps no state."""

    name: str
    """`json` or `protobuf`."""
    ping: bytes
    """The empty reply, with which the server pings."""

    def decode(self, frame: bytes) -> list[Command]:
        """The commands of a frame, in order; raises `Malformed`."""

    def reply(self, command_id: int, result: Result) -> bytes:
        """The answer to a command."""

    def refusal(self, command_id: int, error: Error) -> bytes:
        """The answer to a command that cannot be done."""

    def push(self, channel: str, push: Push) -> bytes:
        """What the server tells unasked."""

    def join(self, messages: Sequence[bytes]) -> bytes:
        """One frame of several messages."""

    def text(self, payload: bytes) -> bytes:
        """A payload as this encoding carries it where differences may stand in its place."""
