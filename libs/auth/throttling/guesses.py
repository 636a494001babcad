"""Guesses: how many may fail in a row before even the right one is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from libs.auth.throttling.ladder import Ladder
from libs.auth.throttling.store import Outcome, Store, Subject, judged
from libs.domain.auth import CodeInvalid


class Guesses:
    """Counts codes that are tried; failures are forgotten by a success, or ``memory`` seconds after the last one."""

    def __init__(self, store: Store, *, limit: int, memory: float) -> None:
        self._store = store
        self._ladder = Ladder(free=limit, limit=limit, first=1.0, longest=1.0, memory=memory)

    @asynccontextmanager
    async def of(self, name: str) -> AsyncGenerator[None]:
        """Judge the code inside of this block: `CodeInvalid` is a failure, no error is a success.

        Raises `CodeInvalid` itself where they are used up, before the block runs.
        """
        subjects = self._subjects(name)
        if await self._store.admit(subjects) > 0:
            raise CodeInvalid
        async with judged(self._store, subjects, failure=CodeInvalid):
            yield

    async def used_up(self, name: str) -> bool:
        """Whether none is left for now."""
        subjects = self._subjects(name)
        if await self._store.admit(subjects) > 0:
            return True
        await self._store.settle(subjects, Outcome.DROPPED)
        return False

    def _subjects(self, name: str) -> list[Subject]:
        return [Subject(f"guess:{name}", self._ladder)]
