"""Context words: what somebody who knows the account would try first is no password (ASVS 5.0, 6.2.11)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BETWEEN = re.compile(r"[\W_]+")
_WORD = 4  # characters of a part of a name that counts: shorter ones stand in many a good password
_LEFT = 4  # letters that must be left of a password without the words


def made_of(password: str, words: Iterable[str]) -> bool:
    """Whether ``password`` is little else than these words; both normalized and case-folded."""
    found = False
    left = _BETWEEN.sub("", password)
    for word in sorted({part for one in words for part in _parts(one)}, key=len, reverse=True):
        found = found or word in left
        left = left.replace(word, " ")
    return found and sum(character.isalpha() for character in left) < _LEFT


def _parts(word: str) -> set[str]:
    """A word and what it is joined of: of ``ann.lee@example.com`` also ``annlee``, ``examplecom`` and ``example``."""
    whole = _BETWEEN.sub("", word)
    parts = (_BETWEEN.sub("", part) for part in (*word.split("@"), *_BETWEEN.split(word)))
    return {part for part in parts if len(part) >= _WORD} | ({whole} if whole else set())
