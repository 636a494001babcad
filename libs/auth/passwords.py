"""Passwords: which are accepted, and how they are kept (Argon2id, RFC 9106)."""

from __future__ import annotations

import asyncio
import gzip
import secrets
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from libs.auth.breaches import Breaches
from libs.auth.context_words import made_of
from libs.auth.hash_formats import HashRefused, read_hash
from libs.auth.hashing import HashPool
from libs.auth.settings import PasswordSettings
from libs.messaging import Deadline, FieldError, ValidationFailed

_COMMON = Path(__file__).with_name("common_passwords.txt.gz")
COMMON = "This is one of the most common passwords; choose another one"
CONTEXT = "This is little else than your address, your name or ours; choose another one"
BREACHED = "This password is known from a theft of passwords; choose another one"


class Passwords:
    """Refuses weak passwords, hashes good ones and checks claimed ones, off the event loop."""

    def __init__(
        self,
        settings: PasswordSettings,
        pool: HashPool,
        *,
        common: frozenset[str],
        decoy: str,
        breaches: Breaches,
    ) -> None:
        self._min_length = settings.min_length
        self._pool = pool
        self._hasher = _hasher(settings)
        self._common = common
        self._context = frozenset(map(_folded, settings.context_words))
        self._decoy = decoy
        self._breaches = breaches

    @classmethod
    async def create(
        cls, settings: PasswordSettings, pool: HashPool, breaches: Breaches | None = None
    ) -> Self:
        """With the shipped list of common passwords, and a decoy that costs what a real hash costs."""
        common = await asyncio.to_thread(common_passwords)
        decoy = await pool.run(lambda: _hasher(settings).hash(secrets.token_urlsafe()))
        return cls(settings, pool, common=common, decoy=decoy, breaches=breaches or Breaches.off())

    async def check_new(self, password: str, *, field: str = "password", about: Iterable[str] = ()) -> None:
        """Raise `ValidationFailed` where ``password`` is too short, too common, or known from a theft.

        Neither may it be made of what is known ``about`` its account: address, username.
        """
        normalized, folded = _normalized(password), _folded(password)
        if len(normalized) < self._min_length:
            message = f"A password has at least {self._min_length} characters"
        elif folded in self._common:
            message = COMMON
        elif made_of(folded, {*self._context, *map(_folded, about)}):
            message = CONTEXT
        elif await self._breaches.know(normalized):
            message = BREACHED
        else:
            return
        raise ValidationFailed(errors=[FieldError(field=field, message=message)])

    async def hash(self, password: str, deadline: Deadline | None = None) -> str:
        """A new hash, as a PHC string; raises `Overloaded`."""
        return await self._pool.run(lambda: self._hasher.hash(_normalized(password)), deadline)

    async def verify(self, stored: str | None, password: str, deadline: Deadline | None = None) -> bool:
        """Whether ``password`` is the one behind ``stored``; where there is none, it takes the same time.

        Raises `Overloaded`.
        """
        matches = await self._pool.run(lambda: _matches(stored or self._decoy, password), deadline)
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether ``stored`` was made in another way, or with other parameters, than a new hash would be."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True


def common_passwords() -> frozenset[str]:
    """The shipped list, in the form in which passwords are compared with it."""
    with gzip.open(_COMMON, "rt", encoding="utf-8") as lines:
        return frozenset(_folded(line.rstrip("\n")) for line in lines)


def _matches(stored: str, password: str) -> bool:
    """Whether ``stored`` is the hash of the password's normal form, or of what was typed, which is what others hash."""
    try:
        kept = read_hash(stored)
    except HashRefused:
        return False
    return any(kept.matches(form.encode()) for form in dict.fromkeys((_normalized(password), password)))


def _hasher(settings: PasswordSettings) -> PasswordHasher:
    return PasswordHasher(time_cost=settings.passes, memory_cost=settings.memory, parallelism=1)


def _normalized(password: str) -> str:
    """The same characters, however the keyboard composed them (NFKC, as NIST SP 800-63B asks)."""
    return unicodedata.normalize("NFKC", password)


def _folded(text: str) -> str:
    """The form in which words are compared."""
    return _normalized(text).casefold()
