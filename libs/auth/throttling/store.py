"""Where failures and rates are counted: a port, kept by Redis for all processes, else by each process for itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from libs.auth.throttling.ladder import Ladder

LEASE = 30.0
"""Seconds after which an attempt that was admitted and never settled is forgotten: its process died."""
TURN = 1.0
"""Seconds to wait for an attempt that is under way."""


class Outcome(StrEnum):
    """What became of an attempt."""

    FAILED = "failed"
    SUCCEEDED = "succeeded"
    DROPPED = "dropped"
    """It was not judged: overload, an outage, a caller who went away."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What failures are counted for, and the ladder they climb."""

    key: str
    ladder: Ladder


@dataclass(frozen=True, slots=True)
class Allowance:
    """Failures that are borne over time, whatever succeeds between them: ``burst``, one of which comes back every ``interval`` s."""

    key: str
    interval: float
    burst: int


class Store(Protocol):
    """Counts so that parallel attempts cannot slip through: each is booked when it is admitted, before it is judged.

    While failures stay below ``free``, attempts may run side by side, as many as the limit leaves; from there on one at a
    time.
    """

    async def admit(self, subjects: Sequence[Subject], allowance: Allowance | None = None) -> float:
        """Book an attempt for all subjects, take it from the allowance, and give 0; or the seconds to wait, and book nothing."""

    async def settle(
        self, subjects: Sequence[Subject], outcome: Outcome, allowance: Allowance | None = None
    ) -> None:
        """Tell what became of an admitted attempt: a failure counts, a success forgets the failures.

        The allowance has back what it was taken for anything but a failure.
        """

    async def spend(self, key: str, *, interval: float, burst: int) -> float:
        """Take one of ``burst`` turns, one of which comes back every ``interval`` s; 0, or the seconds to wait."""


@asynccontextmanager
async def judged(
    store: Store,
    subjects: Sequence[Subject],
    allowance: Allowance | None = None,
    *,
    failure: type[Exception],
) -> AsyncGenerator[None]:
    """Judge an admitted attempt inside of this block: ``failure`` is one, no error is a success, any other is neither."""
    outcome = Outcome.DROPPED
    try:
        yield
        outcome = Outcome.SUCCEEDED
    except failure:
        outcome = Outcome.FAILED
        raise
    finally:
        await store.settle(subjects, outcome, allowance)
