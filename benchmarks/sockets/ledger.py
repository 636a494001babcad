"""What every client got, read frame by frame afterwards: which events, in which order, when the last client had each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

_TEXT = 0x81


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
    rest = b""
    for at, data in arrivals:
        rest += data
        start = 0
        while (end := _end(rest, start)) is not None:
            body, start = rest[start:end], end
            assert body[0] == _TEXT, "servers send text frames here"
            for message in body[4 if body[1] == 126 else 2 :].split(b"\n"):
                yield at, message
        rest = rest[start:]


def _end(data: bytes, start: int) -> int | None:
    """Where the frame that starts here ends; None while it is not whole."""
    if len(data) - start < 4:
        return start + 2 + data[start + 1] if len(data) - start >= 2 and not data[start + 1] else None
    size = data[start + 1]
    end = start + 4 + int.from_bytes(data[start + 2 : start + 4], "big") if size == 126 else start + 2 + size
    return end if end <= len(data) else None


def _numbers(arrivals: Iterable[tuple[float, bytes]]) -> Iterator[tuple[float, int]]:
    for at, message in messages(arrivals):
        if message != b"{}":
            yield at, _number(message)


@lru_cache(maxsize=4096)
def _number(message: bytes) -> int:
    number: int = json.loads(message)["push"]["pub"]["data"]["n"]
    return number
