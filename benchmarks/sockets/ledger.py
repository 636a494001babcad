"""What every client got, read frame by frame afterwards: which events, in which order, when the last client had each."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

_TEXT, _CLOSE = 0x81, 0x88


def account(clients: Iterable[list[tuple[float, bytes]]], first: int, count: int) -> dict[str, Any]:
    """Hold what came against the events ``first`` to ``first + count``; `last` has when each was at the last client."""
    wanted = list(range(first, first + count))
    last = [0.0] * count
    found = {"deliveries": 0, "missing": 0, "doubled": 0, "disordered": 0, "reads": 0}
    for arrivals in clients:
        numbers = []
        for at, number in _numbers(arrivals):
            numbers.append(number)
            if 0 <= (event := number - first) < count:
                last[event] = max(last[event], at)
        found["deliveries"] += len(numbers)
        found["reads"] += len(arrivals)
        if numbers != wanted:
            found["missing"] += len(set(wanted) - set(numbers))
            found["doubled"] += len(numbers) - len(set(numbers))
            found["disordered"] += numbers != sorted(numbers)
    return {**found, "last": last}


def messages(arrivals: Iterable[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    """The messages in whole text frames, each with the time of the read that completed its frame."""
    for at, first, payload in _frames(arrivals):
        assert first == _TEXT, "servers send text frames here"
        for message in payload.split(b"\n"):
            yield at, message


def close_code(arrivals: Iterable[tuple[float, bytes]]) -> int:
    """With which code the server closed; 0 where it said none."""
    last = deque(_frames(arrivals), maxlen=1)
    return int.from_bytes(last[0][2][:2], "big") if last and last[0][1] == _CLOSE else 0


def _frames(arrivals: Iterable[tuple[float, bytes]]) -> Iterator[tuple[float, int, bytes]]:
    """Whole frames: when they were, their first byte, their payload."""
    rest = b""
    for at, data in arrivals:
        rest += data
        start = 0
        while (bounds := _payload(rest, start)) is not None and bounds[1] <= len(rest):
            yield at, rest[start], rest[bounds[0] : bounds[1]]
            start = bounds[1]
        rest = rest[start:]


def _payload(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the frame that starts here begins and ends (RFC 6455, section 5.2); None: not known yet."""
    if len(data) - start < 2:
        return None
    size = data[start + 1]
    begin = start + 2 + {126: 2, 127: 8}.get(size, 0)
    if begin > len(data):
        return None
    return begin, begin + (int.from_bytes(data[start + 2 : begin], "big") if size > 125 else size)


def _numbers(arrivals: Iterable[tuple[float, bytes]]) -> Iterator[tuple[float, int]]:
    for at, message in messages(arrivals):
        if message != b"{}":
            yield at, _number(message)


@lru_cache(maxsize=4096)
def _number(message: bytes) -> int:
    number: int = json.loads(message)["push"]["pub"]["data"]["n"]
    return number
