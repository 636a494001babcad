"""Known devices: a signed token that a device gets when somebody signs in on it, and shows at the next sign-in.

It opens nothing. It says that this device has signed in to this account before, so that strangers who fail at the
account's door, or ask for letters to its address all the time, do not keep its owner out: what fails on the device and the
letters that it asks for are counted for the device. Whoever steals one gains a few tries and a few letters and no more.

It is bound to the account and to its password, by the time at which that was chosen: with another password all devices are
unknown again, those as well that somebody had made known in advance. Another hash of the same password changes nothing. The
token travels in the bodies of requests and answers, so every client can keep it, whether it has cookies or not.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

from libs.auth.repository import Login
from libs.auth.sealing import derived_key
from libs.infra.clock import Clock

_ID, _TIME, _TAG = 16, 5, 15  # bytes; together 36, which are 48 characters
_LENGTH = (_ID + _TIME + _TAG) * 4 // 3


@dataclass(frozen=True, slots=True)
class Device:
    """One that is known to an account."""

    account_id: UUID
    id: bytes


class Devices:
    """Signs with the first of its secrets, and believes what any of them signed, for ``seconds``."""

    def __init__(self, secrets_: Sequence[bytes], *, seconds: int, clock: Clock) -> None:
        self._keys = [derived_key(one, b"gatehouse known device") for one in secrets_]
        self._seconds = seconds
        self._clock = clock

    def token(self, login: Login, device: Device | None = None) -> str:
        """A token for a device on which the account has just signed in; for a new one without ``device``."""
        now = int(self._clock.now().timestamp())
        body = (device.id if device else secrets.token_bytes(_ID)) + now.to_bytes(_TIME, "big")
        return urlsafe_b64encode(body + _tag(self._keys[0], login, body)).decode()

    def known(self, token: str | None, login: Login | None) -> Device | None:
        """The device that the token names, if it is known to the account and its present password."""
        if token is None or login is None or len(token) != _LENGTH:
            return None
        try:
            raw = urlsafe_b64decode(token)
        except ValueError:
            return None
        body, tag = raw[:-_TAG], raw[-_TAG:]
        if not any(hmac.compare_digest(tag, _tag(key, login, body)) for key in self._keys):
            return None
        age = int(self._clock.now().timestamp()) - int.from_bytes(body[_ID:], "big")
        return Device(login.account_id, body[:_ID]) if age < self._seconds else None


def _tag(key: bytes, login: Login, body: bytes) -> bytes:
    since = login.password_since
    password = since.astimezone(UTC).isoformat().encode() if since else b""
    return hmac.digest(key, login.account_id.bytes + body + password, "sha256")[:_TAG]
