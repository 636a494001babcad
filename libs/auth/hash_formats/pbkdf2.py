"""PBKDF2 (RFC 8018) as Django, passlib and the PHC strings of others write it."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Self

from typing_extensions import override

from libs.auth.hash_formats.kept import HashRefused, KeptHash, at_most, decoded, derived_bytes

_DJANGO = re.compile(r"pbkdf2_(sha1|sha256)\$(\d{1,9})\$([^$]{1,128})\$([A-Za-z0-9+/=]{16,128})")
_PHC = re.compile(
    r"\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,9})(?:,l=\d{1,3})?\$([A-Za-z0-9+/.=]{1,128})\$([A-Za-z0-9+/.=]{16,128})"
)
_ITERATIONS = 2_000_000  # half a second to two


@dataclass(frozen=True)
class Pbkdf2Hash(KeptHash):
    """PBKDF2 with HMAC over ``digest``."""

    digest: str
    iterations: int
    salt: bytes = field(repr=False)
    derived: bytes = field(repr=False)

    @classmethod
    def read_django(cls, text: str) -> Self:
        """From `pbkdf2_sha256$600000$salt$hash`; raises `HashRefused`."""
        found = _DJANGO.fullmatch(text)
        if found is None:
            raise HashRefused("it is no complete PBKDF2 hash of Django's")
        digest, iterations, salt, derived = found.groups()
        return cls(digest, int(iterations), salt.encode(), derived_bytes(derived))

    @classmethod
    def read_phc(cls, text: str) -> Self:
        """From `$pbkdf2-sha256$i=600000$salt$hash`, also without `i=`; raises `HashRefused`."""
        found = _PHC.fullmatch(text)
        if found is None:
            raise HashRefused("it is no complete PBKDF2 hash")
        digest, iterations, salt, derived = found.groups()
        return cls(digest or "sha1", int(iterations), decoded(salt), derived_bytes(derived))

    @override
    def check(self) -> None:
        if self.iterations == 0:
            raise HashRefused("its number of iterations is 0")
        blocks = -(-len(self.derived) // hashlib.new(self.digest).digest_size)  # each takes all iterations
        at_most(
            self.iterations * blocks, _ITERATIONS, "the number of iterations, for each block of the hash,"
        )

    @override
    def matches(self, password: bytes) -> bool:
        derived = hashlib.pbkdf2_hmac(self.digest, password, self.salt, self.iterations, len(self.derived))
        return hmac.compare_digest(derived, self.derived)
