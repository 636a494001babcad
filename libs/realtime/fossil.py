"""Differences between two payloads in Fossil's delta format.

A delta is the target's size, then copies out of the source and literal bytes, then a checksum; numbers are written in
base 64 with digits of the format's own.
"""

from __future__ import annotations

from struct import iter_unpack

_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
_BLOCK = 16  # bytes; shorter repetitions are not looked for
LARGEST = 16_384  # bytes of a payload; looking for repetitions in more would hold the event loop up


def difference(source: bytes, target: bytes) -> bytes | None:
    """What makes ``target`` out of ``source``; None where that would not be shorter than the target itself."""
    if len(source) > LARGEST or len(target) > LARGEST:
        return None
    parts = [b"%b\n" % _number(len(target))]
    done = 0
    for start, size, at in _copies(source, target):
        parts += [_literal(target[done:at]), b"%b@%b," % (_number(size), _number(start))]
        done = at + size
    parts += [_literal(target[done:]), b"%b;" % _number(_checksum(target))]
    delta = b"".join(parts)
    return delta if len(delta) < len(target) else None


def _copies(source: bytes, target: bytes) -> list[tuple[int, int, int]]:
    """Stretches that both have: where in the source, how many bytes, where in the target; in the target's order."""
    blocks = {source[start : start + _BLOCK]: start for start in range(0, len(source) - _BLOCK + 1, _BLOCK)}
    copies: list[tuple[int, int, int]] = []
    done = at = 0
    while at + _BLOCK <= len(target):
        start = blocks.get(target[at : at + _BLOCK])
        if start is None:
            at += 1
            continue
        back = _common(source[:start][::-1], target[done:at][::-1])
        ahead = _common(source[start:], target[at:])
        copies.append((start - back, back + ahead, at - back))
        done = at = at + ahead
    return copies


def _common(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _literal(data: bytes) -> bytes:
    return b"%b:%b" % (_number(len(data)), data) if data else b""


def _number(value: int) -> bytes:
    digits = bytearray()
    while True:
        digits.append(_DIGITS[value & 63])
        value >>= 6
        if not value:
            return bytes(reversed(digits))


def _checksum(data: bytes) -> int:
    """The sum of the big-endian 32-bit words, the last one filled up with zeros."""
    padded = data + bytes(-len(data) % 4)
    total: int = sum(word for (word,) in iter_unpack(">I", padded))
    return total & 0xFFFF_FFFF
