"""The ring of signing keys: what each of them is for, and when the next one may take over.

A verifier that caches the public keys must know a key before it meets its tokens. So a key is published first and signs
later; how much later is `AUTH_KEY_PUBLISH_SECONDS`, which must exceed the time for which others cache the set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self, TypeAlias

from libs.auth.orm import SigningKeyRow
from libs.auth.settings import KeySettings

State: TypeAlias = Literal["next", "signing", "retired", "revoked"]


def state_of(row: SigningKeyRow) -> State:
    """What a key is for."""
    if row.revoked_at is not None:
        return "revoked"
    if row.retired_at is not None:
        return "retired"
    return "next" if row.activated_at is None else "signing"


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys that are believed."""

    rows: tuple[SigningKeyRow, ...]
    signing: SigningKeyRow | None
    following: SigningKeyRow | None

    @classmethod
    def of(cls, rows: Iterable[SigningKeyRow]) -> Self:
        """The ring that these rows make."""
        believed = tuple(row for row in rows if row.revoked_at is None)
        by_state = {state_of(row): row for row in believed}
        return cls(believed, by_state.get("signing"), by_state.get("next"))

    @property
    def complete(self) -> bool:
        """Whether one key signs and one follows."""
        return self.signing is not None and self.following is not None

    def ready_at(self, settings: KeySettings) -> datetime | None:
        """From when on the next key may sign; None where there is none."""
        following = self.following
        if following is None:
            return None
        if all(following.created_at <= row.created_at for row in self.rows):
            return following.created_at  # no set was ever published without it
        return following.created_at + timedelta(seconds=settings.publish_seconds)

    def due_at(self, settings: KeySettings) -> datetime | None:
        """When the next key takes over by itself; None where only an operator can say so.

        It does so when the one that signs is old enough, or of an algorithm that is no longer wanted, or when an operator
        asked for it; never before it is ready.
        """
        ready = self.ready_at(settings)
        if ready is None or self.signing is None or self.following is None:
            return None
        wanted = [self.following.signs_from] if self.following.signs_from else []
        if settings.rotation_seconds and self.signing.activated_at is not None:
            wanted.append(self.signing.activated_at + timedelta(seconds=settings.rotation_seconds))
        if self.signing.algorithm != settings.algorithm == self.following.algorithm:
            wanted.append(ready)
        return max(ready, min(wanted)) if wanted else None
