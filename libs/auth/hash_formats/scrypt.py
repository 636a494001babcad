"""scrypt (RFC 7914) as Django and PHC strings write it."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Self

from typing_extensions import override

from libs.auth.hash_formats.kept import HashRefused, KeptHash, at_most, decoded, derived_bytes

_DJANGO = re.compile(r"scrypt\$(\d{1,9})\$([^$]{1,128})\$(\d{1,4})\$(\d{1,4})\$([A-Za-z0-9+/=]{16,128})")
_PHC = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/.=]{1,128})\$([A-Za-z0-9+/.=]{16,128})"
)
_MEMORY = 268_435_456  # bytes
_PARALLELISM = 16
_WORK = 2_097_152  # N times r times p; about a second


@dataclass(frozen=True)
class ScryptHash(KeptHash):
    """scrypt with its parameters N, r and p."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    derived: bytes = field(repr=False)

    @classmethod
    def read_django(cls, text: str) -> Self:
        """From `scrypt$16384$salt$8$5$hash`; raises `HashRefused`."""
        found = _DJANGO.fullmatch(text)
        if found is None:
            raise HashRefused("it is no complete scrypt hash of Django's")
        n, salt, r, p, derived = found.groups()
        return cls(int(n), int(r), int(p), salt.encode(), derived_bytes(derived))

    @classmethod
    def read_phc(cls, text: str) -> Self:
        """From `$scrypt$ln=14,r=8,p=1$salt$hash`; raises `HashRefused`."""
        found = _PHC.fullmatch(text)
        if found is None:
            raise HashRefused("it is no complete scrypt hash")
        ln, r, p, salt, derived = found.groups()
        return cls(1 << int(ln), int(r), int(p), decoded(salt), derived_bytes(derived))

    @override
    def check(self) -> None:
        if self.n < 2 or self.n & (self.n - 1):
            raise HashRefused("N is no power of two")
        if not (self.r and self.p):
            raise HashRefused("r or p is 0")
        at_most(128 * self.n * self.r, _MEMORY, "the memory in bytes that N and r ask for")
        at_most(self.p, _PARALLELISM, "p")
        at_most(self.n * self.r * self.p, _WORK, "N times r times p")

    @override
    def matches(self, password: bytes) -> bool:
        memory = 128 * self.r * (self.n + self.p + 2)
        try:
            derived = hashlib.scrypt(
                password, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=len(self.derived)
            )
        except ValueError:  # parameters that no scrypt has
            return False
        return hmac.compare_digest(derived, self.derived)
