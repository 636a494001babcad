"""Stopping one thing: within a bound, and never in the way of what stops after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_log = structlog.get_logger(__name__)


async def stop_within(seconds: float, name: str, stop: Callable[[], Awaitable[None]]) -> None:
    """Await ``stop()`` for at most ``seconds``; what goes wrong is logged under ``name`` and nothing else."""
    try:
        async with asyncio.timeout(seconds):
            await stop()
    except TimeoutError:
        _log.warning("stop_timed_out", step=name, seconds=seconds)
    except Exception:  # ruff: ignore[blind-except]  the next step must have its turn
        _log.exception("stop_failed", step=name)
