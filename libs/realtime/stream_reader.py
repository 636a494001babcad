"""The reader of the stream: one per process, and never silent about what it may have missed.

Deliveries are judged where they arrive. Whatever takes more than a look is done by one task, the keeper: it attaches
again after a jump, starts over when records are lost, probes when what must come does not, and repeats the log's epoch
so that whoever starts finds it in the tail.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from functools import partial

import structlog

from libs.amqp import AmqpError, Channel, Connection, Consumer, Delivery
from libs.messaging import AppError, Unavailable, new_message_id
from libs.messaging.rabbitmq import Appender
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import REALTIME_STREAM
from libs.realtime import records
from libs.realtime.feed import Event, Feed, Movement
from libs.realtime.reading import Reading, Verdict
from libs.realtime.records import Mark, Record
from libs.realtime.stream_search import StreamSearch

_log = structlog.get_logger(__name__)
_PREFETCH = 1000
PATIENCE = 5.0  # s that something which must come may take
_TICK = 1.0  # s between two looks of the keeper
LONGEST_REPEAT = 300.0  # s between two repetitions of the epoch
OLDER = 100_000  # records that are read at least, where there are as many; in 2.5 s of CPU
_REPEATS_IN_A_LOG = 32  # so that the epoch is in whatever a flood leaves; a segment is an eighth


class _Task(Enum):
    """What the keeper has to do."""

    START_OVER = auto()
    ATTACH = auto()
    DECLARE = auto()


class StreamReader:
    """Reads the stream's last ``history`` seconds and everything after them into ``feed``.

    It begins earlier where less than ``older`` records would be read: no history holds them any more, but who has read as
    far as them in a channel that was quiet since can then be told that nothing is missing.

    ``log_bytes`` is what the stream keeps. What must come is missed after ``patience`` seconds; the epoch is repeated every
    ``longest_repeat`` seconds, if not more often.
    """

    def __init__(
        self,
        feed: Feed,
        connection: Connection,
        appender: Appender,
        broker: BrokerSettings,
        *,
        history: float,
        log_bytes: int,
        patience: float = PATIENCE,
        longest_repeat: float = LONGEST_REPEAT,
        older: int = OLDER,
    ) -> None:
        self._feed = feed
        self._connection = connection
        self._appender = appender
        self._user = broker.user
        self._trusted = broker.trusted_callers | {broker.user}
        self._patience = patience
        self._search = StreamSearch(connection, self._trusted, patience)
        self._repeat_every = min(longest_repeat, max(patience, history / 3))
        self._repeat_bytes = log_bytes // _REPEATS_IN_A_LOG
        self._tail = f"{round(max(history, 3 * self._repeat_every))}s"
        self._older = older
        self._kept_from = 0  # position from which on a history may reach
        self._reading = Reading(0)
        self._channel: Channel | None = None
        self._consumer: Consumer | None = None
        self._attachments = 0
        self._todo = {_Task.START_OVER}
        self._wake = asyncio.Event()
        self._awaited: set[str] = set()  # marks of this reader's own, on their way through the stream
        self._start_mark = ""
        self._confirmed = False  # whether the epoch was repeated since reading started over
        self._unnamed = 0  # bytes of events read since the epoch was told
        self._moved_at = 0.0
        self._repeated_at = -math.inf
        self._caught_up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, within: float) -> None:
        """Read up to now; raises Unavailable when ``within`` seconds were not enough."""
        self._keeper = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(within):
                await self._caught_up.wait()
        except TimeoutError:
            raise Unavailable("the realtime log could not be read") from None

    async def stop(self) -> None:
        """Read no more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._attachments += 1
        if self._channel is not None:
            with suppress(AmqpError):
                await self._channel.close()

    def check(self) -> None:
        """Raise Unavailable where the log is not being read."""
        if not self._feed.ready or self._is_stuck():
            raise Unavailable("the realtime log is not being read")

    async def _keep(self) -> None:
        while True:
            try:
                if self._connection.is_open:
                    await self._mend()
                    if self._todo:
                        self._wake.set()
            except (AmqpError, AppError, TimeoutError) as error:
                _log.warning("realtime_reader_waits", error=f"{type(error).__name__}: {error}")
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._wake.wait()
            self._wake.clear()

    async def _mend(self) -> None:
        if _Task.START_OVER in self._todo:
            await self._start_over()
        elif _Task.ATTACH in self._todo:
            await self._attach()
        elif _Task.DECLARE in self._todo:
            await self._declare()
        elif self._is_stuck():
            await self._probe()
        elif self._feed.ready and self._now() - self._repeated_at >= self._repeat_every:
            position = self._feed.position
            self._repeated_at = self._now()
            await self._append(Mark(new_message_id(), position.epoch, read=position.offset - 1))

    async def _start_over(self) -> None:
        """Read the tail anew, up to a mark that is appended now."""
        self._feed.lose()
        top = await self._append_and_find()
        self._kept_from = await self._search.first(self._tail)
        self._reading = Reading(max(0, min(self._kept_from, top - self._older)))
        mark = Mark(new_message_id())
        self._confirmed = False
        self._start_mark, self._awaited = mark.message_id, {mark.message_id}
        self._todo.clear()
        try:
            await self._attach()
            await self._append(mark)
        except BaseException:
            self._todo.add(_Task.START_OVER)
            raise

    async def _declare(self) -> None:
        """Name a log that nobody has named in the part of it that was read."""
        self._todo.discard(_Task.DECLARE)
        if self._feed.position.epoch:  # somebody else has done so meanwhile
            return
        try:
            await self._append(Mark(new_message_id(), secrets.token_hex(4)))
        except BaseException:
            self._need(_Task.DECLARE)
            raise

    async def _attach(self) -> None:
        """Consume from where the reading is; deliveries of an earlier attachment count no longer."""
        self._attachments += 1
        if self._channel is None:
            self._channel = await self._connection.channel(prefetch=_PREFETCH)
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.cancel()
        self._todo.discard(_Task.ATTACH)
        self._consumer = await self._channel.consume(
            REALTIME_STREAM, partial(self._on_delivery, self._attachments), arguments=self._from_here
        )

    def _from_here(self) -> dict[str, int]:
        """The consumer's arguments, asked for whenever it is started: also after the connection was lost."""
        self._moved_at = self._now()
        return {"x-stream-offset": self._reading.attach()}

    async def _append(self, mark: Mark) -> None:
        self._awaited.add(mark.message_id)
        self._moved_at = self._now()
        properties, body = records.message(mark, user=self._user)
        try:
            await self._appender.append(properties, body, within=self._patience)
        except AppError:
            self._awaited.discard(mark.message_id)
            raise

    def _is_stuck(self) -> bool:
        """Whether something that must come does not: a mark of our own, or the record that was read last."""
        waits = bool(self._awaited) or self._reading.checking
        return waits and self._now() - self._moved_at > self._patience

    async def _probe(self) -> None:
        """Find out whether the log is still as long as what was read of it; a reader beyond its end hears nothing."""
        top = await self._append_and_find()
        self._awaited.clear()
        read = self._reading.position
        self._need(_Task.START_OVER if read is not None and top <= read else _Task.ATTACH)

    async def _append_and_find(self) -> int:
        """The position of a mark appended now, found by another reader at the log's end; raises TimeoutError."""
        mark = Mark(new_message_id())
        try:
            return await self._search.appended(mark.message_id, partial(self._append, mark))
        finally:
            self._awaited.discard(mark.message_id)

    def _on_delivery(self, attachment: int, delivery: Delivery) -> None:
        delivery.ack()
        if attachment != self._attachments or self._todo & {_Task.START_OVER, _Task.ATTACH}:
            return
        record = records.read(delivery, self._trusted)
        if record is None:
            return
        self._moved_at = self._now()
        verdict = self._reading.judge(record.position, record.identity)
        if verdict is Verdict.JUMP:
            self._need(_Task.ATTACH)
        elif verdict is Verdict.LOST:
            self._feed.lose()
            self._need(_Task.START_OVER)
        elif verdict is not Verdict.KNOWN:
            if verdict is Verdict.FIRST:
                self._feed.begin(record.position)
            self._take(record)

    def _take(self, record: Record) -> None:
        content = record.content
        if isinstance(content, Event):
            if record.position < self._kept_from:  # it may not say itself how old it is
                content = replace(content, at=0.0)
            self._feed.add(record.position, content)
            self._unnamed += len(content.data)
            if self._unnamed >= self._repeat_bytes:
                self._repeat_soon()
        elif isinstance(content, Movement):
            self._feed.move(record.position, content)
        else:
            self._feed.passed(record.position)
            if content is not None:
                self._take_mark(record.position, content)

    def _take_mark(self, position: int, mark: Mark) -> None:
        if self._believes(mark, position):
            self._feed.name(mark.epoch)
            self._confirmed = mark.read is not None
        elif mark.epoch and mark.read is None:  # somebody has found no name in what is left of the log
            self._repeat_soon()
        if mark.epoch:
            self._unnamed = 0
        self._awaited.discard(mark.message_id)
        if self._feed.ready or self._start_mark in self._awaited:
            return
        if self._feed.position.epoch:
            self._feed.caught_up()
            self._caught_up.set()
        else:
            self._need(_Task.DECLARE)

    def _believes(self, mark: Mark, position: int) -> bool:
        """Whether a mark names this log.

        Of several gateways that name it at once the first one counts. A reader that begins between them takes the second
        one's name, until the first repetition says better. After that no other name can be true: a log that was made anew
        shows in its records, and then reading starts over.
        """
        if not mark.epoch or not mark.is_true_at(position) or self._confirmed:
            return False
        return mark.read is not None or not self._feed.position.epoch

    def _repeat_soon(self) -> None:
        self._unnamed = 0
        self._repeated_at = -math.inf
        self._wake.set()

    def _need(self, task: _Task) -> None:
        self._todo.add(task)
        self._wake.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
