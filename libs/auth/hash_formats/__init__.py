"""Hash formats: every form in which the hash of a password may lie in the database."""

from libs.auth.hash_formats.kept import HashRefused, KeptHash
from libs.auth.hash_formats.reading import read_hash

__all__ = ["HashRefused", "KeptHash", "read_hash"]
