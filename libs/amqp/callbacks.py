"""Calling a program back without being harmed by what it does."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class Callbacks:
    """Runs plain and coroutine callbacks; what they raise is logged, what takes time runs beside."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, callback: Callable[..., Awaitable[None] | None], *arguments: object) -> None:
        """Call back now; a coroutine goes on by itself."""
        try:
            result = callback(*arguments)
        except Exception:
            logger.exception("a callback failed")
            return
        if inspect.isawaitable(result):
            task = asyncio.get_running_loop().create_task(_guard(result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what still runs, except for a callback that is closing its own connection."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _guard(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        logger.exception("a callback failed")
