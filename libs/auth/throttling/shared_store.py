"""Counting in Redis while it answers, and in the process while it does not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
from typing_extensions import override

from libs.auth.throttling.process_store import ProcessStore
from libs.auth.throttling.store import Allowance, Outcome, Store, Subject
from libs.infra.redis import RedisAway

_log = structlog.get_logger(__name__)
_PAUSE = 1.0  # s between two looks at a Redis that is away: nobody else waits for it meanwhile

ResultT = TypeVar("ResultT")


class SharedStore(Store):
    """Never fails: while ``shared`` is away each process counts for itself, and the log says so once."""

    def __init__(self, shared: Store, *, own: Store | None = None, pause: float = _PAUSE) -> None:
        self._shared = shared
        self._own = own or ProcessStore()
        self._pause = pause
        self._away = False
        self._looks_again = 0.0

    @override
    async def admit(self, subjects: Sequence[Subject], allowance: Allowance | None = None) -> float:
        return await self._ask(lambda store: store.admit(subjects, allowance))

    @override
    async def settle(
        self, subjects: Sequence[Subject], outcome: Outcome, allowance: Allowance | None = None
    ) -> None:
        await self._ask(lambda store: store.settle(subjects, outcome, allowance))

    @override
    async def spend(self, key: str, *, interval: float, burst: int) -> float:
        return await self._ask(lambda store: store.spend(key, interval=interval, burst=burst))

    async def _ask(self, question: Callable[[Store], Awaitable[ResultT]]) -> ResultT:
        if self._may_look():
            try:
                answer = await question(self._shared)
            except RedisAway as error:
                self._lost(error)
            else:
                self._found()
                return answer
        return await question(self._own)

    def _may_look(self) -> bool:
        """Whether to ask Redis: always while it answers, else one caller at a time, after a pause."""
        if not self._away:
            return True
        now = time.monotonic()
        if now < self._looks_again:
            return False
        self._looks_again = now + self._pause
        return True

    def _lost(self, error: RedisAway) -> None:
        self._looks_again = time.monotonic() + self._pause
        if not self._away:
            self._away = True
            _log.warning("throttles_per_process", reason=str(error))

    def _found(self) -> None:
        if self._away:
            self._away = False
            _log.info("throttles_shared_again")
