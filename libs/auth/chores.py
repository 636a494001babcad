"""Chores: what a service does again and again beside answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import structlog

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 5.0


class Chore:
    """Runs ``work`` with a pause after each run; a run that fails is logged, and the next one comes all the same."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], *, interval: float) -> None:
        self._name = name
        self._work = work
        self._interval = interval
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def start(cls, name: str, work: Callable[[], Awaitable[None]], *, interval: float) -> Self:
        """A chore that runs until `stop`; ``interval`` in seconds."""
        chore = cls(name, work, interval=interval)
        chore._task = asyncio.create_task(chore._run())
        return chore

    async def stop(self) -> None:
        """Let the present run finish, within a bound."""
        self._stopping.set()
        if self._task is None:
            return
        _, late = await asyncio.wait([self._task], timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(self._interval):
                    await self._stopping.wait()
            except TimeoutError:
                await self._once()

    async def _once(self) -> None:
        try:
            await self._work()
        except Exception:  # ruff: ignore[blind-except]  # the next run may go better
            _log.exception("chore_failed", chore=self._name)
