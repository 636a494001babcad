"""Keys: the pairs that sign access tokens, one that signs now and one that is published because it signs next.

The private halves lie in the database sealed under keys that only the settings know. One that cannot be opened is never
replaced in silence: the tokens that it signed are out there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from libs.auth.orm import SigningKeyRow
from libs.auth.repository import Storage, Stored
from libs.auth.sealing import SealBroken, Sealer
from libs.auth.settings import KeySettings, SessionSettings
from libs.domain.auth import KEYS_ROTATED, Claims, KeySet, KeysRotated
from libs.infra.clock import Clock
from libs.infra.jwt import Algorithm, SigningKey, TokenSettings, TokenVerifier
from libs.messaging import Caller, Empty, Unavailable

_log = structlog.get_logger(__name__)
_MARGIN = 60.0  # s that a retired key is believed beyond its last token: clocks, and requests on their way


class KeyUnreadable(Exception):
    """A signing key cannot be opened."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as its operator sees it: ``next``, ``signing`` or ``retired``."""

    kid: str
    algorithm: str
    state: str
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None


class Keys:
    """The signing keys of the platform; `load` before use."""

    def __init__(
        self,
        storage: Storage,
        settings: KeySettings,
        *,
        tokens: TokenSettings,
        sessions: SessionSettings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._algorithm: Algorithm = settings.algorithm
        self._sealer = Sealer.from_text(settings.encryption_keys.get_secret_value())
        # A process that missed the event signs with a retired key until it looks for itself.
        self._believed = timedelta(seconds=sessions.access_seconds + settings.reload_interval + _MARGIN)
        self._clock = clock
        self._signing: SigningKey | None = None
        self.verifier = TokenVerifier(Claims, tokens, clock=clock)

    @property
    def signing(self) -> SigningKey:
        """The key that signs now; raises RuntimeError before `load`."""
        if self._signing is None:
            raise RuntimeError("the signing keys were not loaded")
        return self._signing

    async def load(self) -> None:
        """Open what is in the database, making what is missing; raises `KeyUnreadable` or `Unavailable`."""
        async with self._storage.reading() as stored:
            rows = await self._published(stored)
        if self._lacking(rows):
            rows = await self._complete()
        opened = {row.kid: self._open(row) for row in rows if row.retired_at is None}
        self._signing = opened[_one(rows, "signing").kid]
        self.verifier.replace_keys(row.public_jwk for row in rows)

    async def reload(self) -> None:
        """`load`, keeping what was loaded where that fails."""
        try:
            await self.load()
        except (KeyUnreadable, Unavailable) as error:
            _log.warning("keys_not_reloaded", reason=str(error))

    async def heard_rotation(self, _rotated: KeysRotated) -> None:
        """Another process, or this one, changed the keys."""
        await self.reload()

    async def rotate(self) -> str:
        """Let the published key sign, retire the one that signed, and publish a new one; says which signs now."""
        async with self._storage.transaction() as stored:
            await stored.keys.lock()
            now = self._clock.now()
            following = _one(await self._published(stored), "next")
            await stored.keys.retire(now)
            await stored.keys.activate(following.kid, now)
            await self._add(stored, now)
            await stored.audit.add("keys.rotated", kid=following.kid)
            await stored.tell(KEYS_ROTATED, KeysRotated(kid=following.kid), urgent=True)
        await self.load()
        return following.kid

    async def states(self) -> list[KeyState]:
        """The keys that are believed now, oldest first."""
        async with self._storage.reading() as stored:
            rows = await self._published(stored)
        return [
            KeyState(row.kid, row.algorithm, _state(row), row.created_at, row.activated_at, row.retired_at)
            for row in rows
        ]

    async def published(self, _request: Empty, _caller: Caller) -> KeySet:
        """The public keys, fresh from the database: who asks may have heard of a rotation before this process."""
        async with self._storage.reading() as stored:
            rows = await self._published(stored)
        return KeySet.model_validate({"keys": [row.public_jwk for row in rows]})

    async def _published(self, stored: Stored) -> list[SigningKeyRow]:
        return await stored.keys.published(self._clock.now() - self._believed)

    def _lacking(self, rows: list[SigningKeyRow]) -> bool:
        states = {_state(row): row for row in rows}
        following = states.get("next")
        return "signing" not in states or following is None or following.algorithm != self._algorithm

    async def _complete(self) -> list[SigningKeyRow]:
        """Make the keys that are missing, unless another process was faster."""
        async with self._storage.transaction() as stored:
            await stored.keys.lock()
            rows = await self._published(stored)
            if self._lacking(rows):
                await self._make_missing(stored, {_state(row): row for row in rows})
        async with self._storage.reading() as stored:
            return await self._published(stored)

    async def _make_missing(self, stored: Stored, rows: dict[str, SigningKeyRow]) -> None:
        """One key that signs and one that follows; a next key of an algorithm no longer wanted never signs."""
        now = self._clock.now()
        signing, following = rows.get("signing"), rows.get("next")
        if following is not None and following.algorithm != self._algorithm:
            await stored.keys.discard(following.kid, now)
            following = None
        if signing is None:
            signing, following = following or await self._add(stored, now), None
            await stored.keys.activate(signing.kid, now)
        if following is None:
            await self._add(stored, now)
        await stored.tell(KEYS_ROTATED, KeysRotated(kid=signing.kid), urgent=True)

    async def _add(self, stored: Stored, now: datetime) -> SigningKeyRow:
        """Publish a new key."""
        key = SigningKey.generate(self._algorithm)
        row = SigningKeyRow(
            kid=key.kid,
            algorithm=key.algorithm,
            public_jwk=key.public_jwk,
            sealed=self._sealer.seal(key.to_bytes(), bound_to=key.kid.encode()),
            created_at=now,
        )
        await stored.keys.add(row)
        await stored.audit.add("keys.created", kid=key.kid)
        return row

    def _open(self, row: SigningKeyRow) -> SigningKey:
        try:
            private = self._sealer.open(row.sealed, bound_to=row.kid.encode())
            return SigningKey.from_bytes(row.algorithm, private)
        except (SealBroken, ValueError) as error:
            raise KeyUnreadable(
                f"signing key {row.kid} cannot be opened: AUTH_KEY_ENCRYPTION_KEYS lacks the key that sealed it"
            ) from error


def _state(row: SigningKeyRow) -> str:
    if row.retired_at is not None:
        return "retired"
    return "next" if row.activated_at is None else "signing"


def _one(rows: list[SigningKeyRow], state: str) -> SigningKeyRow:
    return next(row for row in rows if _state(row) == state)
