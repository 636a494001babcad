"""bcrypt in the crypt format, and Django's two ways to wrap it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Self

from bcrypt import checkpw
from typing_extensions import override

from libs.auth.hash_formats.kept import HashRefused, KeptHash, at_most

_FORM = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_COST = 14  # 2 to the power of it are the rounds; about a second
_READ = 72  # bytes of a password that bcrypt reads


@dataclass(frozen=True)
class BcryptHash(KeptHash):
    """bcrypt of the password, of which it reads 72 bytes, or of its SHA-256 in hexadecimal digits."""

    text: str = field(repr=False)
    cost: int
    digested: bool = False

    @classmethod
    def read(cls, text: str, *, digested: bool = False) -> Self:
        """From the crypt format; raises `HashRefused`."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise HashRefused("it is no complete bcrypt hash")
        return cls(text, int(found[1]), digested)

    @override
    def check(self) -> None:
        if self.cost < 4:
            raise HashRefused("its cost is less than 4")
        at_most(self.cost, _COST, "the cost")

    @override
    def matches(self, password: bytes) -> bool:
        taken = hashlib.sha256(password).hexdigest().encode() if self.digested else password[:_READ]
        try:
            return checkpw(taken, self.text.encode())
        except ValueError:  # the library refuses what no bcrypt could have made
            return False
