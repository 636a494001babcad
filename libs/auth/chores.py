"""Chores: what a service does again and again beside answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import structlog

from libs.messaging import Unavailable

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that comes again ``interval`` seconds after it was done."""

    name: str
    work: Callable[[], Awaitable[None]]
    interval: float


class Chores:
    """Does every chore in its turn; one that fails is logged, and its next turn comes all the same."""

    def __init__(self, *chores: Chore) -> None:
        self._chores = chores
        self._stopping = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> Self:
        """Run until `stop`."""
        self._running = [asyncio.create_task(self._repeat(chore)) for chore in self._chores]
        return self

    async def stop(self) -> None:
        """Let what runs finish, within a bound."""
        self._stopping.set()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _repeat(self, chore: Chore) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(chore.interval):
                    await self._stopping.wait()
            except TimeoutError:
                await self._once(chore)

    @staticmethod
    async def _once(chore: Chore) -> None:
        try:
            await chore.work()
        except Unavailable as error:
            _log.warning("chore_put_off", chore=chore.name, reason=str(error))
        except Exception:  # ruff: ignore[blind-except]  # the next turn may go better
            _log.exception("chore_failed", chore=chore.name)
