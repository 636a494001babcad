"""One process of the realtime door: what all its sessions share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import structlog

from libs.realtime.announcements import Announcements
from libs.realtime.attendance import Attendance
from libs.realtime.channels import Channels
from libs.realtime.codes import SHUTDOWN, Disconnect
from libs.realtime.credentials import Credentials
from libs.realtime.doorkeeper import Doorkeeper
from libs.realtime.feed import Feed
from libs.realtime.hub import Hub
from libs.realtime.ports import Log, Presence, Rpc
from libs.realtime.registry import Registry
from libs.realtime.settings import RealtimeSettings
from libs.realtime.wheel import Wheel

if TYPE_CHECKING:
    from libs.realtime.session import Session

_log = structlog.get_logger(__name__)
_SECONDS_BETWEEN_SWEEPS = 1.0
_LAST_WORDS = 2.0  # seconds that what runs at a stop may still take
_CATCH_UP = 2.0  # seconds that a client may be ahead of this process


class Node:
    """The hub, the feed, the register of sessions, and the ports to everything else.

    A client that has seen more of the log than this process is waited for, ``catch_up`` seconds at most.
    """

    def __init__(
        self,
        settings: RealtimeSettings,
        *,
        log: Log,
        credentials: Credentials,
        rpc: Rpc | None = None,
        doorkeeper: Doorkeeper | None = None,
        presence: Presence | None = None,
        catch_up: float = _CATCH_UP,
    ) -> None:
        self.settings = settings
        self.log = log
        self.credentials = credentials
        self.rpc = rpc
        self.doorkeeper = doorkeeper
        self.presence = presence
        self.catch_up = catch_up
        self.channels = Channels(settings.namespaces)
        self.hub = Hub(lambda flush: asyncio.get_running_loop().call_soon(flush))
        self.feed = Feed(
            self.channels,
            self.hub,
            window_bytes=settings.window_bytes,
            max_publication=settings.max_publication,
            max_recovery=settings.max_pending // 2,
            on_gap=self._start_over,
        )
        self.wheel = Wheel(settings.ping_interval, settings.pong_timeout)
        self.registry = Registry(settings)
        self.leaving: Disconnect | None = None
        """Why no new client is let in."""
        self.attendance = Attendance(presence, self.spawn)
        self.announcements = Announcements(log, self.spawn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clocks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Read the log up to now and start the clocks."""
        await self.log.start(self.feed)
        self._clocks = [self.spawn(self.wheel.turn()), self.spawn(self._sweep())]

    async def stop(self) -> None:
        """Send everybody away, end what still runs, and let the log go; harmless when repeated."""
        self.dismiss(SHUTDOWN)
        for clock in self._clocks:
            clock.cancel()
        if self._tasks:  # who left is taken out of its channels
            await asyncio.wait(self._tasks, timeout=_LAST_WORDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.log.stop()

    def dismiss(self, disconnect: Disconnect) -> None:
        """Close every connection, and each that is opened from now on."""
        self.leaving = disconnect
        for session in self.registry:
            session.end(disconnect)

    def open(self, session: Session) -> None:
        """A connection was opened; it is closed at once where no more clients are let in."""
        if self.leaving is None:
            self.registry.open(session)
        else:
            session.end(self.leaving)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that the node owns until it ends; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_SWEEPS)
            self.registry.drop_strangers()
            self.feed.trim()

    def _start_over(self) -> None:
        for session in self.registry:
            session.lose_positions()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("realtime_task_failed", exc_info=error)
