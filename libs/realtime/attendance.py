"""Writes down who is in which channel: one batch at a time, so that what is said last of a client is what stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import structlog

from libs.messaging import AppError
from libs.realtime.ports import Presence, Present

_log = structlog.get_logger(__name__)
_BATCH = 500  # entries that go to the store together
_PATIENCE = 2.0  # s that a client waits to be written down, at most
_MOST_WAITING = 65_536  # entries; beyond them some are left out, which the next ping or their expiry mends


@dataclass(slots=True)
class _Entry:
    """What is to be written of one client in one channel."""

    present: Present
    stays: bool
    written: asyncio.Future[None] | None = None


class Attendance:
    """The one writer of a process to its ``presence``; where there is none it does nothing.

    Whatever comes while a batch is on its way waits for the next one, and of one client in one channel only the latest
    counts. What cannot be written is not tried again: clients are renewed with every ping, and entries expire.
    """

    def __init__(
        self,
        presence: Presence | None,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        patience: float = _PATIENCE,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._presence = presence
        self._spawn = spawn
        self._patience = patience
        self._most_waiting = most_waiting
        self._waiting: dict[tuple[str, str], _Entry] = {}
        self._left_out = 0
        self._writing = False
        self._away = False

    async def enter(self, entries: Sequence[Present]) -> None:
        """Write clients down before they are let in; waited for, unless the store was away just now."""
        loop = asyncio.get_running_loop()
        written = [loop.create_future() for _ in entries]
        for entry, future in zip(entries, written, strict=True):
            self._put(_Entry(entry, stays=True, written=future))
        if written and not self._away:
            await asyncio.wait(written, timeout=self._patience)

    def renew(self, entries: Sequence[Present]) -> None:
        """Keep clients in their channels, without making anybody wait."""
        for entry in entries:
            self._put(_Entry(entry, stays=True))

    def remove(self, entries: Sequence[Present]) -> None:
        """Take clients out of their channels, without making anybody wait."""
        for entry in entries:
            self._put(_Entry(entry, stays=False))

    def _put(self, entry: _Entry) -> None:
        if self._presence is None:
            _settle(entry)
            return
        key = entry.present.channel, entry.present.info.client
        before = self._waiting.get(key)
        if before is not None:
            _settle(before)
        elif len(self._waiting) >= self._most_waiting:
            self._left_out += 1
            _settle(entry)
            return
        self._waiting[key] = entry
        if not self._writing:
            self._writing = True
            self._spawn(self._write(self._presence))

    async def _write(self, presence: Presence) -> None:
        try:
            while self._waiting:
                keys = list(islice(self._waiting, _BATCH))
                await self._write_batch(presence, [self._waiting.pop(key) for key in keys])
        finally:
            self._writing = False

    async def _write_batch(self, presence: Presence, batch: Sequence[_Entry]) -> None:
        left_out, self._left_out = self._left_out, 0
        if left_out:
            _log.warning("presence_entries_left_out", entries=left_out)
        try:
            await presence.write(
                present=[one.present for one in batch if one.stays],
                gone=[one.present for one in batch if not one.stays],
            )
            self._away = False
        except AppError as error:
            self._away = True
            _log.warning("presence_not_written", entries=len(batch), reason=str(error))
        finally:
            for one in batch:
                _settle(one)


def _settle(entry: _Entry) -> None:
    """Nobody waits for it any longer."""
    if entry.written is not None and not entry.written.done():
        entry.written.set_result(None)
