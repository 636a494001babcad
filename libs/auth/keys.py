"""Keys: the pairs that sign access tokens, one that signs now and one that is published because it signs next.

The private halves lie in the database sealed under keys that only the settings know. One that cannot be opened is never
replaced in silence: the tokens that it signed are out there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from libs.auth.callers import Origin
from libs.auth.key_changes import KeyChanges, KeyRevocation, Rotation
from libs.auth.key_ring import Ring, State, state_of
from libs.auth.orm import SigningKeyRow
from libs.auth.repository import Storage
from libs.auth.sealing import SealBroken, Sealer
from libs.auth.settings import KeySettings, SessionSettings
from libs.domain.auth import Claims, KeySet, KeysRotated
from libs.infra.clock import Clock
from libs.infra.jwt import SigningKey, TokenSettings, TokenVerifier
from libs.messaging import Caller, Empty, Unavailable

_log = structlog.get_logger(__name__)
_MARGIN = 60.0  # s that a retired key is believed beyond its last token: clocks, and requests on their way
_NOBODY = Origin()


class KeyUnreadable(Exception):
    """A signing key cannot be opened."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as its operator sees it; ``signs_from`` is the next one's moment, None where none is settled."""

    kid: str
    algorithm: str
    state: State
    created_at: datetime
    signs_from: datetime | None


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
        self._settings = settings
        self._sealer = Sealer.from_text(settings.encryption_keys.get_secret_value())
        # A process that missed the event signs with a retired key until it looks for itself.
        self._believed = timedelta(seconds=sessions.access_seconds + settings.reload_interval + _MARGIN)
        self._clock = clock
        self._changes = KeyChanges(
            storage, settings, sealer=self._sealer, believed=self._believed, clock=clock
        )
        self._ring = Ring((), None, None)
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
        ring = await self._read()
        if not ring.complete or (ring.following and ring.following.algorithm != self._settings.algorithm):
            await self._changes.complete()
            ring = await self._read()
        self._use(ring)

    async def reload(self) -> None:
        """Look again, keeping what was loaded where that fails."""
        try:
            self._use(await self._read())
        except (KeyUnreadable, Unavailable) as error:
            _log.warning("keys_not_reloaded", reason=str(error))

    async def tend(self) -> None:
        """Look again, and rotate where it is time; of several processes one does it."""
        await self.reload()
        due = self._ring.due_at(self._settings)
        if due is not None and due <= self._clock.now():
            kid = await self._changes.rotate_if_due()
            if kid is not None:
                _log.info("keys_rotated", kid=kid)
            await self.reload()

    async def heard_rotation(self, _rotated: KeysRotated) -> None:
        """Another process, or this one, changed the keys."""
        await self.reload()

    async def rotate(self, *, at_once: bool = False, origin: Origin = _NOBODY) -> Rotation:
        """Let the published key sign as soon as verifiers can know it, or ``at_once``; publish another to follow it."""
        rotation = await self._changes.rotate(at_once=at_once, origin=origin)
        await self.load()
        return rotation

    async def revoke(self, kid: str, *, origin: Origin = _NOBODY) -> KeyRevocation:
        """Believe no token of this key any more; raises `UnknownSigningKey`."""
        revocation = await self._changes.revoke(kid, origin)
        await self.load()
        return revocation

    async def states(self) -> list[KeyState]:
        """The keys that are believed now and those that were revoked, oldest first."""
        async with self._storage.statements() as stored:
            rows = await stored.keys.known(self._clock.now() - self._believed)
        due = Ring.of(rows).due_at(self._settings)
        return [
            KeyState(row.kid, row.algorithm, state, row.created_at, due if state == "next" else None)
            for row in rows
            for state in [state_of(row)]
        ]

    async def published(self, _request: Empty, _caller: Caller) -> KeySet:
        """The public keys, fresh from the database: who asks may have heard of a rotation before this process."""
        ring = await self._read()
        return KeySet.model_validate({"keys": [row.public_jwk for row in ring.rows]})

    async def _read(self) -> Ring:
        async with self._storage.statements() as stored:
            return Ring.of(await stored.keys.published(self._clock.now() - self._believed))

    def _use(self, ring: Ring) -> None:
        """Sign and verify with these keys."""
        opened = {row.kid: self._open(row) for row in (ring.signing, ring.following) if row is not None}
        if ring.signing is not None:
            self._signing = opened[ring.signing.kid]
        self.verifier.replace_keys(row.public_jwk for row in ring.rows)
        self._ring = ring

    def _open(self, row: SigningKeyRow) -> SigningKey:
        try:
            private = self._sealer.open(row.sealed, bound_to=row.kid.encode())
            return SigningKey.from_bytes(row.algorithm, private)
        except (SealBroken, ValueError) as error:
            raise KeyUnreadable(
                f"signing key {row.kid} cannot be opened: AUTH_KEY_ENCRYPTION_KEYS lacks the key that sealed it"
            ) from error
