"""Guesses: how many may fail in a row before even the right one is refused."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from libs.auth.throttling.ladder import Ladder
from libs.auth.throttling.store import Store, Subject, judged
from libs.domain.auth import CodeInvalid, TooManyAttempts


class Guesses:
    """Counts codes that are tried; failures are forgotten by a success, or ``memory`` seconds after the last one."""

    def __init__(self, store: Store, *, limit: int, memory: float) -> None:
        self._store = store
        self._ladder = Ladder(free=limit, limit=limit, first=1.0, longest=1.0, memory=memory)

    @asynccontextmanager
    async def of(self, name: str) -> AsyncGenerator[None]:
        """Judge the code inside of this block: `CodeInvalid` is a failure, no error is a success.

        Raises `TooManyAttempts`, before the block runs.
        """
        subjects = [Subject(f"guess:{name}", self._ladder)]
        wait = await self._store.admit(subjects)
        if wait > 0:
            raise TooManyAttempts(retry_after=math.ceil(wait))
        async with judged(self._store, subjects, failure=CodeInvalid):
            yield
