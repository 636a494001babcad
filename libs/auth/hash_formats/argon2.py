"""Argon2 (RFC 9106) as a PHC string, the form in which new passwords are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from typing_extensions import override

from libs.auth.hash_formats.kept import HashRefused, KeptHash, at_most

_FORM = re.compile(
    r"\$argon2(?:id|i|d)\$v=(?:16|19)\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_MEMORY = 262_144  # KiB
_PASSES = 16
_LANES = 16
_WORK = 1_048_576  # KiB filled in all passes together; about a second
_HASHER = PasswordHasher()  # a verification takes its parameters from the hash


@dataclass(frozen=True)
class Argon2Hash(KeptHash):
    """Argon2id, Argon2i or Argon2d."""

    text: str = field(repr=False)
    memory: int
    """KiB."""
    passes: int
    lanes: int

    @classmethod
    def read(cls, text: str) -> Self:
        """From the PHC string; raises `HashRefused`."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise HashRefused("it is no complete Argon2 hash")
        return cls(text, *map(int, found.groups()))

    @override
    def check(self) -> None:
        if not (self.passes and self.lanes and self.memory >= 8 * self.lanes):  # RFC 9106, section 3.1
            raise HashRefused("t or p is 0, or m is less than 8 times p")
        at_most(self.memory, _MEMORY, "m, the memory in KiB,")
        at_most(self.passes, _PASSES, "t, the number of passes,")
        at_most(self.lanes, _LANES, "p, the number of lanes,")
        at_most(self.memory * self.passes, _WORK, "m times t")

    @override
    def matches(self, password: bytes) -> bool:
        try:
            return _HASHER.verify(self.text, password)
        except (VerificationError, InvalidHashError):
            return False
