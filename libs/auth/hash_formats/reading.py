"""Which format a text is in: told by how it begins."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from libs.auth.hash_formats.argon2 import Argon2Hash
from libs.auth.hash_formats.bcrypt import BcryptHash
from libs.auth.hash_formats.kept import HashRefused, KeptHash
from libs.auth.hash_formats.pbkdf2 import Pbkdf2Hash
from libs.auth.hash_formats.scrypt import ScryptHash

_LONGEST = 512  # characters

# What Django writes before the formats of others is left out when the rest is read.
_READERS: tuple[tuple[str, str, Callable[[str], KeptHash]], ...] = (
    ("$argon2", "", Argon2Hash.read),
    ("argon2$argon2", "argon2", Argon2Hash.read),
    ("$2", "", BcryptHash.read),
    ("bcrypt$$2", "bcrypt$", BcryptHash.read),
    ("bcrypt_sha256$$2", "bcrypt_sha256$", partial(BcryptHash.read, digested=True)),
    ("pbkdf2_", "", Pbkdf2Hash.read_django),
    ("$pbkdf2", "", Pbkdf2Hash.read_phc),
    ("scrypt$", "", ScryptHash.read_django),
    ("$scrypt$", "", ScryptHash.read_phc),
)


def read_hash(text: str) -> KeptHash:
    """The hash that ``text`` holds; raises `HashRefused`."""
    if len(text) <= _LONGEST:
        for beginning, wrapping, read in _READERS:
            if text.startswith(beginning):
                return read(text.removeprefix(wrapping))
    raise HashRefused("it is in none of the formats: Argon2, bcrypt, scrypt, PBKDF2")
