"""Changes of the signing keys: made, rotated, revoked. One process at a time, and what it decides it reads under the lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.auth.callers import Origin
from libs.auth.key_ring import Ring, state_of
from libs.auth.orm import SigningKeyRow
from libs.auth.repository import Storage, Stored
from libs.auth.sealing import Sealer
from libs.auth.settings import KeySettings
from libs.domain.auth import KEYS_ROTATED, KeysRotated
from libs.infra.clock import Clock
from libs.infra.jwt import SigningKey


class UnknownSigningKey(Exception):
    """There is no signing key of this name."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that takes over, and from when on it signs; ``done`` when that is now."""

    kid: str
    signs_from: datetime
    done: bool


@dataclass(frozen=True, slots=True)
class KeyRevocation:
    """The key that signs after another was revoked, and whether it took over because of that."""

    signing: str
    took_over: bool


class KeyChanges:
    """Every change is one transaction under one lock: of two processes that want the same, one does it.

    What an operator asks for is written down with the operator's ``origin``; what a process does by itself, without one.
    """

    def __init__(
        self, storage: Storage, settings: KeySettings, *, sealer: Sealer, believed: timedelta, clock: Clock
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._sealer = sealer
        self._believed = believed
        self._clock = clock

    async def complete(self) -> None:
        """Make the keys that are missing: one that signs, and one of the wanted algorithm that follows."""
        async with self._storage.transaction() as stored:
            ring, now = await self._locked(stored)
            if ring.following is not None and ring.following.algorithm != self._settings.algorithm:
                await stored.keys.discard(ring.following.kid, now)
                ring = Ring.of(row for row in ring.rows if row is not ring.following)
            if not ring.complete:
                await self._told(stored, await self._filled(stored, ring, now, Origin()))

    async def rotate(self, *, at_once: bool, origin: Origin) -> Rotation:
        """Let the next key sign: now where verifiers can know it or ``at_once`` is wanted, else as soon as they can."""
        async with self._storage.transaction() as stored:
            ring, now = await self._locked(stored)
            ready = ring.ready_at(self._settings)
            if ring.following is None or ready is None:
                raise RuntimeError("the signing keys were not loaded, which makes the missing ones")
            kid = ring.following.kid
            if ready > now and not at_once:
                await stored.keys.schedule(kid, ready)
                await stored.audit.add("keys.rotation_asked", origin=origin, kid=kid)
                return Rotation(kid, ready, done=False)
            return Rotation(await self._take_over(stored, ring, now, origin), now, done=True)

    async def rotate_if_due(self) -> str | None:
        """Let the next key sign if its time has come; its name, None where it has not, or another process was faster."""
        async with self._storage.transaction() as stored:
            ring, now = await self._locked(stored)
            due = ring.due_at(self._settings)
            if due is None or due > now or ring.following is None:
                return None
            return await self._take_over(stored, ring, now, Origin())

    async def revoke(self, kid: str, origin: Origin) -> KeyRevocation:
        """Believe no token of this key any more; where it signs, the next one takes over whether it is ready or not.

        Raises `UnknownSigningKey`.
        """
        async with self._storage.transaction() as stored:
            ring, now = await self._locked(stored)
            revoked = next((row for row in ring.rows if row.kid == kid), None)
            if revoked is None:
                raise UnknownSigningKey(
                    f"no key {kid} is believed; `gatehouse keys list` shows those that are"
                )
            state = state_of(revoked)
            await stored.keys.revoke(kid, now)
            await stored.audit.add("keys.revoked", origin=origin, kid=kid, state=state)
            ring = Ring.of(row for row in ring.rows if row is not revoked)
            signing = await self._filled(stored, ring, now, origin)
            await self._told(stored, signing)
            return KeyRevocation(signing, took_over=state == "signing")

    async def _locked(self, stored: Stored) -> tuple[Ring, datetime]:
        await stored.keys.lock()
        now = self._clock.now()
        return Ring.of(await stored.keys.published(now - self._believed)), now

    async def _take_over(self, stored: Stored, ring: Ring, now: datetime, origin: Origin) -> str:
        await stored.keys.retire(now)
        signing = await self._filled(stored, Ring(ring.rows, None, ring.following), now, origin)
        await stored.audit.add("keys.rotated", origin=origin, kid=signing)
        await self._told(stored, signing)
        return signing

    async def _filled(self, stored: Stored, ring: Ring, now: datetime, origin: Origin) -> str:
        """Let one key sign and one follow; says which signs."""
        signing, following = ring.signing, ring.following
        if signing is None:
            signing, following = following or await self._add(stored, now, origin), None
            await stored.keys.activate(signing.kid, now)
        if following is None:
            await self._add(stored, now, origin)
        return signing.kid

    async def _add(self, stored: Stored, now: datetime, origin: Origin) -> SigningKeyRow:
        """Publish a new key."""
        key = SigningKey.generate(self._settings.algorithm)
        row = SigningKeyRow(
            kid=key.kid,
            algorithm=key.algorithm,
            public_jwk=key.public_jwk,
            sealed=self._sealer.seal(key.to_bytes(), bound_to=key.kid.encode()),
            created_at=now,
        )
        await stored.keys.add(row)
        await stored.audit.add("keys.created", origin=origin, kid=key.kid)
        return row

    @staticmethod
    async def _told(stored: Stored, signing: str) -> None:
        await stored.tell(KEYS_ROTATED, KeysRotated(kid=signing), urgent=True)
