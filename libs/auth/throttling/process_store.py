"""Counting in one process: for when Redis is away, bounded in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from typing_extensions import override

from libs.auth.throttling.store import LEASE, TURN, Allowance, Outcome, Store, Subject

_CAPACITY = 50_000  # keys of each kind; some 200 bytes each

ValueT = TypeVar("ValueT")


@dataclass(slots=True)
class _Count:
    """The failures of one subject; times are on the store's clock."""

    failures: int = 0
    blocked_until: float = 0.0
    pending: int = 0
    leased_until: float = 0.0

    def wait(self, subject: Subject, now: float, forgotten_at: float) -> float:
        """Seconds until another attempt may begin."""
        ladder = subject.ladder
        if self.leased_until <= now:
            self.pending = 0
        if self.failures >= ladder.limit:
            return forgotten_at - now
        if self.blocked_until > now:
            return self.blocked_until - now
        full = self.failures + self.pending >= ladder.limit
        return TURN if full or (self.failures >= ladder.free and self.pending) else 0.0


class _Expiring(Generic[ValueT]):
    """A bounded mapping whose entries end by time; when it is full, the entry that was set longest ago goes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[float, ValueT]] = OrderedDict()

    def get(self, key: str, now: float) -> tuple[float, ValueT] | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry[0] > now else None

    def set(self, key: str, value: ValueT, until: float) -> None:
        self._entries[key] = (until, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def remove(self, key: str) -> None:
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)


class ProcessStore(Store):
    """Counts for this process alone; ``capacity`` keys of each kind at the most."""

    def __init__(self, *, capacity: int = _CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts: _Expiring[_Count] = _Expiring(capacity)
        self._arrivals: _Expiring[float] = _Expiring(capacity)
        self._clock = clock

    def __len__(self) -> int:
        return len(self._counts) + len(self._arrivals)

    @override
    async def admit(self, subjects: Sequence[Subject], allowance: Allowance | None = None) -> float:
        now = self._clock()
        found = [(one, *(self._counts.get(one.key, now) or (0.0, _Count()))) for one in subjects]
        waits = [count.wait(one, now, until) for one, until, count in found]
        if allowance is not None:
            waits.append(self._until_turn(allowance.key, allowance.interval, allowance.burst, now))
        if max(waits) > 0:
            return max(waits)
        if allowance is not None:
            self._shift(allowance.key, allowance.interval, now)
        for one, until, count in found:
            count.pending += 1
            count.leased_until = now + LEASE
            self._counts.set(one.key, count, max(until, now + LEASE))
        return 0.0

    @override
    async def settle(
        self, subjects: Sequence[Subject], outcome: Outcome, allowance: Allowance | None = None
    ) -> None:
        now = self._clock()
        if allowance is not None and outcome is not Outcome.FAILED:
            self._shift(allowance.key, -allowance.interval, now)
        for one in subjects:
            until, count = self._counts.get(one.key, now) or (now + LEASE, _Count())
            count.pending = max(0, count.pending - 1)
            if outcome is Outcome.FAILED:
                count.failures += 1
                count.blocked_until = now + one.ladder.delay(count.failures)
                self._counts.set(one.key, count, now + one.ladder.memory)
            elif outcome is Outcome.SUCCEEDED or not (count.failures or count.pending):
                self._counts.remove(one.key)
            else:
                self._counts.set(one.key, count, until)

    @override
    async def spend(self, key: str, *, interval: float, burst: int) -> float:
        now = self._clock()
        wait = self._until_turn(key, interval, burst, now)
        if wait > 0:
            return wait
        self._shift(key, interval, now)
        return 0.0

    def _due(self, key: str, now: float) -> float:
        entry = self._arrivals.get(key, now)
        return entry[1] if entry is not None else now

    def _until_turn(self, key: str, interval: float, burst: int, now: float) -> float:
        return self._due(key, now) - (burst - 1) * interval - now

    def _shift(self, key: str, by: float, now: float) -> None:
        """Take a turn, or give one back."""
        due = self._due(key, now) + by
        if due > now:
            self._arrivals.set(key, due, due)
        else:
            self._arrivals.remove(key)
