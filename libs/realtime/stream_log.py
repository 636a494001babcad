"""The log as a RabbitMQ stream."""

from __future__ import annotations

from typing_extensions import override

from libs.amqp import Connection
from libs.messaging import Unavailable
from libs.messaging.rabbitmq import Appender
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import Topology, realtime_log
from libs.realtime import records
from libs.realtime.feed import Event, Feed, Movement
from libs.realtime.ports import Log
from libs.realtime.settings import RealtimeSettings
from libs.realtime.stream_reader import LONGEST_REPEAT, OLDER, PATIENCE, StreamReader

_START_TIMEOUT = 30.0  # s
_APPEND_TIMEOUT = 4.0  # s; the SDKs give a command 5 s


class StreamLog(Log):
    """The stream `gatehouse.realtime`. The constructor does no I/O.

    ``patience`` and ``longest_repeat`` (s) are its reader's, and so are ``older`` (records).
    """

    def __init__(
        self,
        broker: BrokerSettings,
        settings: RealtimeSettings,
        *,
        name: str = "gateway",
        patience: float = PATIENCE,
        longest_repeat: float = LONGEST_REPEAT,
        older: int = OLDER,
    ) -> None:
        self._broker = broker
        self._history = settings.longest_history
        self._log_bytes = settings.log_bytes
        self._name = name
        self._patience = patience
        self._longest_repeat = longest_repeat
        self._older = older
        self.topology: Topology = realtime_log(max_age=f"{settings.log_hours}h", max_bytes=settings.log_bytes)
        """What must stand before `start`."""
        self._connections: list[Connection] = []
        self._appender: Appender | None = None
        self._reader: StreamReader | None = None

    @override
    async def start(self, feed: Feed) -> None:
        self._appender = Appender(await self._connect("appending"))
        reading = await self._connect("reading")
        self._reader = StreamReader(
            feed,
            reading,
            self._appender,
            self._broker,
            history=self._history,
            log_bytes=self._log_bytes,
            patience=self._patience,
            longest_repeat=self._longest_repeat,
            older=self._older,
        )
        await self._reader.start(_START_TIMEOUT)

    @override
    async def append(self, content: Event | Movement) -> None:
        if self._appender is None:
            raise Unavailable("the realtime log is not open")
        properties, body = records.message(content, user=self._broker.user)
        await self._appender.append(properties, body, within=_APPEND_TIMEOUT)

    @override
    async def check(self) -> None:
        if self._reader is None:
            raise Unavailable("the realtime log is not open")
        self._reader.check()

    @override
    async def stop(self) -> None:
        if self._reader is not None:
            await self._reader.stop()
        self._reader = self._appender = None
        while self._connections:
            await self._connections.pop().close()

    async def _connect(self, purpose: str) -> Connection:
        connection = await Connection.open(
            self._broker.endpoints,
            name=f"{self._name}.realtime.{purpose}",
            heartbeat=self._broker.heartbeat,
        )
        self._connections.append(connection)
        return connection
