"""Known devices: a signed token that a device gets when somebody signs in on it, and shows at the next sign-in.

It opens nothing. It says that this device has signed in to this account before, so that strangers who fail at the
account's door do not keep its owner out; the device's own failures are counted for the device. Whoever steals one gains
a ladder of its own and no more. The token travels in the bodies of login requests and answers, so every client can keep
it, whether it has cookies or not.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

from libs.auth.sealing import derived_key
from libs.infra.clock import Clock

_ID, _TIME, _TAG = 16, 5, 15  # bytes; together 36, which are 48 characters
_LENGTH = (_ID + _TIME + _TAG) * 4 // 3


class Devices:
    """Signs with the first of its secrets, and believes what any of them signed, for ``seconds``."""

    def __init__(self, secrets_: Sequence[bytes], *, seconds: int, clock: Clock) -> None:
        self._keys = [derived_key(one, b"gatehouse known device") for one in secrets_]
        self._seconds = seconds
        self._clock = clock

    def token(self, account_id: UUID, device: bytes | None = None) -> str:
        """A token for a device on which the account has just signed in; for a new one without ``device``."""
        now = int(self._clock.now().timestamp())
        body = (device or secrets.token_bytes(_ID)) + now.to_bytes(_TIME, "big")
        return urlsafe_b64encode(body + _tag(self._keys[0], account_id, body)).decode()

    def known(self, token: str | None, account_id: UUID | None) -> bytes | None:
        """The device that the token names, if it is known to the account."""
        if token is None or account_id is None or len(token) != _LENGTH:
            return None
        try:
            raw = urlsafe_b64decode(token)
        except ValueError:
            return None
        body, tag = raw[:-_TAG], raw[-_TAG:]
        if not any(hmac.compare_digest(tag, _tag(key, account_id, body)) for key in self._keys):
            return None
        age = int(self._clock.now().timestamp()) - int.from_bytes(body[_ID:], "big")
        return body[:_ID] if age < self._seconds else None


def _tag(key: bytes, account_id: UUID, body: bytes) -> bytes:
    return hmac.digest(key, account_id.bytes + body, "sha256")[:_TAG]
