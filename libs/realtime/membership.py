"""Who a client is, and what it is subscribed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.messaging import Identity
from libs.realtime.channels import Channel
from libs.realtime.grants import Grant


@dataclass(frozen=True, slots=True)
class Who:
    """What a client's token said: ``identity`` is None for a user who is no account of ours."""

    user: str
    identity: Identity | None = None
    expires_at: float | None = None
    refreshable: bool = True
    """Whether the client has a token to bring a newer one of."""
    info: bytes = b""
    channels: Mapping[str, Grant] = field(default_factory=dict)
    """What its token subscribes it to, beside its own channels."""
    key: str = ""
    """The key that signed its access token."""

    @property
    def sid(self) -> str:
        """The sign-in session behind the connection, or nothing."""
        return self.identity.sid if self.identity is not None else ""


@dataclass(slots=True)
class Subscription:
    """One channel of one session."""

    channel: Channel
    server_side: bool = False
    positioned: bool = False
    announced: bool = False
    """Whether the others were told that the client came, and have to be told that it goes."""
    expires_at: float | None = None
    refreshable: bool = False
    info: bytes = b""
