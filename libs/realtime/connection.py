"""The way to one client, as its session sees it: a port that each transport keeps."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from libs.realtime.codes import Disconnect
from libs.realtime.line import Line


class ReturnPath(NamedTuple):
    """Where a client sends its commands whose line carries nothing back: to a session of a process."""

    session: str
    """Nobody else can guess it."""
    node: str


class Connection(Line, Protocol):
    """A line that can be closed and held back."""

    __slots__ = ()

    return_path: ReturnPath | None = None
    """For a line that goes one way only."""

    def close(self, disconnect: Disconnect) -> None:
        """Send what is due and then the code, and end the line; harmless when repeated."""

    def pause(self) -> None:
        """Read nothing more for now: the session has enough to do."""

    def resume(self) -> None:
        """Read on."""
