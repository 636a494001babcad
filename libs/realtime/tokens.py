"""Connection and subscription tokens that a back end signs itself (HS256, RFC 7518), with Centrifugo's claims.

They never stand for an account of ours. The algorithm in the header decides which tokens are held against this secret;
whatever says anything else is an access token or nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from libs.realtime.payload import one_line

_MAX_TOKEN = 8192  # characters
_LEAST_SECRET = 32  # bytes (RFC 7518, section 3.2)
_CLAIMS = ConfigDict(extra="ignore", frozen=True, strict=True)


class TokenRefused(Exception):
    """The token must not be believed."""


class TokenOver(TokenRefused):
    """The token was good, and its time is over."""


def _as_json(value: Any) -> bytes:
    return b"" if value is None else to_json(value)


def _from_base64(value: Any) -> bytes:
    """JSON that stands in a claim as base64 (RFC 4648, section 4)."""
    return one_line(b64decode(str(value), validate=True)) if value else b""


_Json = Annotated[bytes, BeforeValidator(_as_json)]
_Base64 = Annotated[bytes, BeforeValidator(_from_base64)]
_YEAR_10000 = 253_402_300_800  # s; a later time is one in milliseconds, by a back end's mistake
# RFC 7519, section 2: NumericDate may have a fraction
_Date = Annotated[float, Field(allow_inf_nan=False, lt=_YEAR_10000)]


class Introduction(BaseModel):
    """What is said about a client to others (``info``), and to itself when it enters a channel (``data``)."""

    model_config = _CLAIMS

    info: _Json = b""
    b64info: _Base64 = b""
    data: _Json = b""
    b64data: _Base64 = b""

    @property
    def about(self) -> bytes:
        """What others see, as JSON."""
        return self.b64info or self.info

    @property
    def told(self) -> bytes:
        """What the client itself is told, as JSON."""
        return self.b64data or self.data


class _Claims(Introduction):
    sub: str = ""
    exp: _Date | None = None
    nbf: _Date | None = None
    expire_at: Annotated[int, Field(lt=_YEAR_10000)] | None = None

    @property
    def expires_at(self) -> float | None:
        """Until when the connection or the subscription holds (Unix seconds): ``expire_at`` is over ``exp``, 0 is never."""
        return self.exp if self.expire_at is None else self.expire_at or None


class ConnectionClaims(_Claims):
    """Who a client is: ``sub`` is empty for nobody in particular; ``channels`` and ``subs`` are subscribed on connect."""

    channels: list[str] = Field(default_factory=list)
    subs: dict[str, Introduction] = Field(default_factory=dict)
    channel: None = None


class SubscriptionClaims(_Claims):
    """Which channel a user may hear; ``client`` limits it to one connection."""

    channel: str
    client: str = ""


ClaimsT = TypeVar("ClaimsT", ConnectionClaims, SubscriptionClaims)


class SharedSecret:
    """Believes tokens signed with a secret; a ``lenient`` one, for tests on loopback, may be short and they endless."""

    def __init__(self, secret: str, *, lenient: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._lenient = lenient
        self._clock = clock
        if len(self._secret) < _LEAST_SECRET and not lenient:
            raise ValueError(
                f"GATEWAY_REALTIME_TOKEN_SECRET needs at least {_LEAST_SECRET} bytes off loopback"
            )

    @staticmethod
    def signed(token: str) -> bool:
        """Whether the token says that it is signed this way."""
        try:
            header = from_json(_decoded(token.partition(".")[0]))
        except (ValueError, TokenRefused):
            return False
        return isinstance(header, dict) and header.get("alg") == "HS256" and "crit" not in header

    def verify(self, token: str, claims: type[ClaimsT]) -> ClaimsT:
        """What the token says; raises `TokenRefused`, or `TokenOver` when only its time is over."""
        head, _, signature = token.rpartition(".")
        expected = hmac.digest(self._secret, head.encode(), hashlib.sha256)
        if not self.signed(token) or not hmac.compare_digest(_decoded(signature), expected):
            raise TokenRefused("not signed with the secret")
        try:
            found = claims.model_validate_json(_decoded(head.partition(".")[2]))
        except ValidationError as error:
            raise TokenRefused("claims malformed") from error
        now = self._clock()
        if found.exp is None and not self._lenient:
            raise TokenRefused("without an end")
        if found.nbf is not None and found.nbf > now:
            raise TokenRefused("not yet")
        if found.exp is not None and found.exp <= now:
            raise TokenOver("over")
        return found


def _decoded(part: str) -> bytes:
    """Base64url without padding (RFC 7515, section 2)."""
    if len(part) > _MAX_TOKEN:
        raise TokenRefused("too long")
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (Base64Error, ValueError) as error:
        raise TokenRefused("not base64url") from error
