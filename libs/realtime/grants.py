"""Why a client may hear a channel: until when, and what it is told and shown as."""

from __future__ import annotations

import time
from dataclasses import dataclass

from libs.realtime.codes import TIME_OVER, Refused

_MOST_SECONDS = 2**32 - 1  # protobuf says it in 32 bits


@dataclass(frozen=True, slots=True)
class Grant:
    """A client may hear a channel: until when (Unix seconds; None: as long as it is connected), and shown how.

    ``info`` is what others see of it there, ``data`` what it is told on entering; both JSON. ``refreshable``: a newer
    token prolongs it; else the client subscribes again when it is over.
    """

    expires_at: float | None = None
    info: bytes = b""
    data: bytes = b""
    refreshable: bool = False

    @property
    def ttl(self) -> int:
        """Seconds until a newer token is wanted; 0 where none is: an SDK that has no token would give up."""
        return seconds_left(self.expires_at) if self.refreshable else 0


def check_not_over(expires_at: float | None) -> None:
    """Raise `Refused` for what was over before it began: a token may hold longer than what it grants."""
    if expires_at is not None and expires_at <= time.time():
        raise Refused(TIME_OVER)


def seconds_left(expires_at: float | None) -> int:
    """Seconds until a newer token is wanted, 0 for never; so at least one for a token that is about to end."""
    return 0 if expires_at is None else min(max(1, round(expires_at - time.time())), _MOST_SECONDS)
