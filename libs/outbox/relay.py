"""The relay: brings the outbox's rows to the broker, and marks those that the broker has confirmed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

import structlog

from libs.infra.database import Database, DatabaseAway
from libs.messaging import Bus, CallError, EventMessage
from libs.outbox.outbox import Outbox
from libs.outbox.settings import OutboxSettings

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 5.0
_PACE = 0.1  # s from one pass to the next: what comes close together is told, and marked, together


@dataclass
class _Lane:
    """Urgent rows have a lane of their own, so that they wait behind nobody."""

    urgent: bool
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Relay:
    """Tells what the outbox holds: at once after a commit in this process, on NOTIFY from others, else by looking.

    Delivery is at least once: a crash after the confirm and before the mark sends the same message id again. An event
    that comes alone is told at once, one that comes on the heels of others with those of the same tenth of a second;
    urgent ones never wait.
    """

    def __init__(self, outbox: Outbox, database: Database, bus: Bus, settings: OutboxSettings) -> None:
        self._outbox = outbox
        self._database = database
        self._bus = bus
        self._settings = settings
        self._lanes = (_Lane(urgent=True), _Lane(urgent=False))
        self._stopping = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []
        self._hearing: asyncio.Task[None] | None = None

    def start(self) -> Self:
        """Run until `stop`."""
        self._outbox.on_commit(self.wake)
        self._running = [asyncio.create_task(self._run(lane)) for lane in self._lanes]
        self._hearing = asyncio.create_task(self._hear())
        return self

    def wake(self, urgent: bool) -> None:  # ruff: ignore[boolean-type-hint-positional-argument]  # the outbox's callback
        """There is something to tell."""
        self._lanes[0 if urgent else 1].woken.set()

    async def stop(self) -> None:
        """Tell what still waits, within a bound; what is left stays in the table."""
        self._stopping.set()
        self._wake_all()
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _wake_all(self) -> None:
        for lane in self._lanes:
            lane.woken.set()

    async def _hear(self) -> None:
        """Be woken by NOTIFY; while the database is away, looking is what is left."""
        while True:
            try:
                async with self._database.notifications(self._outbox.channel, self._wake_all) as gone:
                    await gone.wait()
            except DatabaseAway:
                pass
            await asyncio.sleep(self._settings.poll_interval)

    async def _run(self, lane: _Lane) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            lane.woken.clear()
            began = clock()
            more = await self._attempt(lane)
            if more:
                continue
            if self._stopping.is_set():
                return
            await _within(self._settings.poll_interval, lane.woken)
            if not lane.urgent:
                await _within(began + _PACE - clock(), self._stopping)

    async def _attempt(self, lane: _Lane) -> bool:
        """One pass; whatever goes wrong, the next one comes after a pause."""
        if not self._bus.connected:
            return False
        try:
            return await self._tell(lane)
        except DatabaseAway as error:
            _log.warning("outbox_waits", reason=str(error))
        except Exception:  # ruff: ignore[blind-except]  # the relay must outlive whatever one pass meets
            _log.exception("outbox_pass_failed")
        return False

    async def _tell(self, lane: _Lane) -> bool:
        """Publish one batch; says whether there may be more."""
        batch = self._settings.batch
        async with self._outbox.claim(self._database, urgent=lane.urgent, limit=batch) as claim:
            confirmed = await asyncio.gather(*(self._publish(message) for message in claim.messages))
            ids = [message.message_id for message in claim.messages]
            await claim.sent([id_ for id_, sent in zip(ids, confirmed, strict=True) if sent])
            if self._bus.connected:
                for id_ in (id_ for id_, sent in zip(ids, confirmed, strict=True) if not sent):
                    await claim.postpone(id_, limit=self._settings.retry_limit)
        return len(ids) == batch and any(confirmed)

    async def _publish(self, message: EventMessage) -> bool:
        """Whether the broker has it."""
        try:
            async with asyncio.timeout(self._settings.confirm_timeout):
                await self._bus.send(message)
        except (CallError, TimeoutError) as error:
            reason = type(error).__name__
            _log.warning("event_not_confirmed", name=message.name, id=message.message_id, reason=reason)
            return False
        except Exception:  # ruff: ignore[blind-except]  # one event must not stand in the way of the others
            _log.exception("event_not_sent", name=message.name, id=message.message_id)
            return False
        self._outbox.confirmed(message.message_id)
        return True


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for the event, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
