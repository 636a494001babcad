"""Tells everywhere who came into a channel and who left it: in order, at most once, and without making anybody wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any

import structlog

from libs.messaging import AppError, new_message_id
from libs.realtime.feed import Movement
from libs.realtime.ports import Log
from libs.realtime.protocol import ClientInfo

_log = structlog.get_logger(__name__)
_BATCH = 64  # movements that are on their way to the log together, no two of one client in one channel
_MOST_WAITING = 32_768  # movements; what comes beyond them is told to nobody


class Announcements:
    """The way of all movements of one process to its ``log``.

    A join and a leave of the same client that both still wait cancel out: nobody was told, and nobody has to be. What
    the log does not take in its time is dropped, and so is what is new while ``most_waiting`` wait.
    """

    def __init__(
        self,
        log: Log,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._log = log
        self._spawn = spawn
        self._most_waiting = most_waiting
        self._waiting: dict[tuple[str, str], Movement] = {}
        self._dropped = 0
        self._telling = False

    def tell(self, channel: str, info: ClientInfo, *, joined: bool) -> None:
        """A client came or went."""
        key = channel, info.client
        before = self._waiting.pop(key, None)
        if before is not None and before.joined != joined and (before.joined or before.info == info):
            return
        if len(self._waiting) >= self._most_waiting:
            self._dropped += 1
            return
        self._waiting[key] = Movement(channel, info, joined, new_message_id())
        if not self._telling:
            self._telling = True
            self._spawn(self._tell())

    async def _tell(self) -> None:
        try:
            while self._waiting:
                keys = list(islice(self._waiting, _BATCH))
                await asyncio.gather(*(self._append(self._waiting.pop(key)) for key in keys))
                dropped, self._dropped = self._dropped, 0
                if dropped:
                    _log.warning("movements_dropped", count=dropped)
        finally:
            self._telling = False

    async def _append(self, movement: Movement) -> None:
        try:
            await self._log.append(movement)
        except AppError as error:
            _log.warning("movement_not_told", channel=movement.channel, reason=str(error))
