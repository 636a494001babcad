"""A connection that stays: it comes back by itself, with everything that was declared and consumed on it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from ssl import SSLContext
from typing import Self

from libs.amqp.backoff import Backoff
from libs.amqp.callbacks import Callbacks
from libs.amqp.channel import Channel
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.channels import Channels
from libs.amqp.dialing import Dialer
from libs.amqp.endpoint import Endpoint
from libs.amqp.errors import AmqpError, CallTimeout, ConnectionClosed, ConnectionLost
from libs.amqp.gate import Gate
from libs.amqp.mending import Mender
from libs.amqp.recovery import Missing, Restorer
from libs.amqp.request import answered
from libs.amqp.subscription import Subscription
from libs.amqp.topology import Topology
from libs.amqp.wire import Wire

logger = logging.getLogger(__name__)

OnLost = Callable[[ConnectionLost], None]
OnRestored = Callable[[], Awaitable[None] | None]


class Connection:
    """A connection to one of several brokers.

    Made by `open`. From then on it reconnects for ever, until `close`: with delays of `backoff`, declaring
    exchanges, queues and bindings again and restarting consumers. Meanwhile publications and calls fail with
    ConnectionLost at once; `wait_open` and `Channel.ready` wait.
    """

    def __init__(self, dialer: Dialer, backoff: Backoff) -> None:
        self.name = dialer.name
        self.timeout = dialer.timeout
        self._dialer = dialer
        self._backoff = backoff
        self._topology = Topology()
        self._channels = Channels()
        self._gate = Gate()
        self._wire: Wire | None = None
        self._restored = False
        self._closed = False
        self._callbacks = Callbacks()
        self._when_lost: list[OnLost] = []
        self._when_restored: list[OnRestored] = []
        self._supervisor: asyncio.Task[None] | None = None
        self._keeper = ChannelProtocol(1, prefetch=0, confirming=False)
        self._restorer = Restorer(self._keeper, self.timeout, self._renamed)
        self._mender = Mender(
            self._topology, backoff, restore=self._declare, connected=lambda: self.wait_open(None)
        )

    @classmethod
    async def open(
        cls,
        endpoints: Sequence[Endpoint],
        *,
        name: str,
        heartbeat: int = 20,
        timeout: float = 10.0,
        backoff: Backoff | None = None,
        read_pause: float = 0.0,
        ssl: SSLContext | None = None,
    ) -> Self:
        """Connect to the first endpoint that answers, tried in random order.

        `name` is shown in RabbitMQ's management pages. `heartbeat` is in seconds; a silent line is given up
        after one and a half of it. `timeout`, in seconds, bounds each attempt and is the default bound of
        every call. `read_pause`, in seconds, is how long nothing is read after each read: where only confirms
        come back it saves a wake-up for each, and delays them by so much. `ssl` is used for `amqps` endpoints
        (None: the system's trust store). Raises ConnectionFailed when no endpoint lets us in.
        """
        if not endpoints:
            raise ValueError("a connection needs at least one endpoint")
        dialer = Dialer(
            endpoints=endpoints,
            name=name,
            heartbeat=heartbeat,
            timeout=timeout,
            read_pause=read_pause,
            tls=ssl,
        )
        connection = cls(dialer, backoff or Backoff())
        await connection._connect()
        connection._supervisor = asyncio.get_running_loop().create_task(connection._supervise())
        return connection

    @property
    def is_open(self) -> bool:
        """True while connected with everything restored."""
        return self._restored and self._wire is not None and self._wire.protocol.is_open

    @property
    def blocked(self) -> str | None:
        """Why the broker takes no publications now (a memory or disk alarm), or None."""
        return None if self._wire is None else self._wire.blocked

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint it is connected to."""
        return None if self._wire is None else self._wire.endpoint

    def on_lost(self, callback: OnLost) -> None:
        """Call back with the reason whenever the connection is lost; not when it is closed by `close`."""
        self._when_lost.append(callback)

    def on_restored(self, callback: OnRestored) -> None:
        """Call back, or run a coroutine, whenever topology and consumers are back after a loss."""
        self._when_restored.append(callback)

    async def wait_open(self, timeout: float | None = None) -> None:
        """Wait until connected, `timeout` seconds (None: as long as it takes). Raises ConnectionLost."""
        try:
            await self._gate.until(self._is_open_or_closed, timeout)
        except TimeoutError:
            raise ConnectionLost("not connected") from None

    async def channel(
        self, *, prefetch: int = 0, confirms: bool = False, window: int = 1000, timeout: float | None = None
    ) -> Channel:
        """Open a channel.

        `prefetch` bounds the unsettled deliveries of each of its consumers (0: no bound); `confirms` asks the
        broker to confirm publications, of which at most `window` are unconfirmed before `Channel.ready` waits.
        """
        if self._wire is None or not self.is_open:
            raise (ConnectionClosed if self._closed else ConnectionLost)("not connected")
        protocol = ChannelProtocol(
            self._channels.free_number(self._wire.protocol.channel_max),
            prefetch=prefetch,
            confirming=confirms,
        )
        channel = Channel(
            protocol,
            self._topology,
            timeout=self.timeout,
            window=window,
            is_paused=self._is_paused,
            on_closed=self._forget,
            on_cancelled=self._cancelled,
        )
        self._channels.add(channel)
        protocol.on_lost = lambda subscription, error: self._mender.revive(protocol, subscription, error)
        try:
            await self._attach(self._wire, protocol, timeout)
        except (AmqpError, asyncio.CancelledError):
            protocol.close(lambda *_: self._forget(channel))
            raise
        return channel

    async def close(self, timeout: float | None = None) -> None:
        """Close for good: the acks that are due are sent, the broker is told, `timeout` seconds at most.

        What is unconfirmed then fails with ConnectionClosed; `Channel.wait_for_confirms` before it, where
        that matters.
        """
        self._closed = True
        await self._stop_tasks()
        gone = ConnectionClosed("the connection is closed")
        if self._wire is not None and self._wire.protocol.is_open:
            for channel in self._channels:
                channel.protocol.settle()
            await self._wire.close(self.timeout if timeout is None else timeout)
        for channel in self._channels:
            channel.protocol.detach(gone)
        self._changed()

    async def _stop_tasks(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        await self._mender.close()
        await self._callbacks.close()

    async def _supervise(self) -> None:
        """For ever: wait for the loss of the connection, and bring it back."""
        while self._wire is not None:
            await self._wire.ended.wait()
            self._restored = False
            logger.warning("%s: %s", self.name, self._wire.protocol.error)
            self._changed()
            for lost in list(self._when_lost):
                self._callbacks.call(lost, self._wire.protocol.error)
            await self._reconnect()
            for restored in list(self._when_restored):
                self._callbacks.call(restored)

    async def _reconnect(self) -> None:
        for delay in self._backoff.delays():
            await asyncio.sleep(delay)
            try:
                await self._connect()
            except AmqpError as error:
                logger.warning("%s: not connected: %s", self.name, error)
            except Exception:  # whatever it was, this is the only task that can bring the connection back
                logger.exception("%s: not connected", self.name)
            else:
                logger.info("%s: connected to %s", self.name, self.endpoint)
                return

    async def _connect(self) -> None:
        """One attempt at a line with everything on it."""
        wire = await self._dialer.dial()
        self._wire = wire
        wire.on_change = self._changed
        try:
            await self._restore(wire)
        except BaseException:
            wire.abort(ConnectionLost("the connection could not be restored"))
            raise
        self._restored = True
        self._changed()

    async def _restore(self, wire: Wire) -> None:
        missing = await self._declare(Missing.all_of(self._topology))
        for channel in self._channels:
            if channel.is_closed:
                self._forget(channel)
        await asyncio.gather(*(self._attach_again(wire, channel.protocol) for channel in self._channels))
        self._mender.complete(missing)

    async def _attach_again(self, wire: Wire, channel: ChannelProtocol) -> None:
        """Open a channel again; a queue that keeps its consumer waiting keeps nobody else."""
        try:
            await self._attach(wire, channel)
        except CallTimeout:
            logger.warning("%s: channel %d still waits for some of its consumers", self.name, channel.number)

    async def _declare(self, missing: Missing) -> Missing:
        """Declare things again, over a channel that is opened when it is first needed."""
        if missing and self._wire is not None:
            if not self._keeper.is_attached:
                await self._attach(self._wire, self._keeper)
            return await self._restorer.restore(missing)
        return missing

    async def _attach(self, wire: Wire, channel: ChannelProtocol, timeout: float | None = None) -> None:
        """Open a channel on a line, with what belongs on it."""
        line = wire.protocol
        line.join(channel)
        await answered(
            lambda resolve: channel.attach(
                line.outgoing,
                line.frame_max,
                answers_cancel=bool(line.server_capabilities.get("accept_consumer_cancel_ok")),
                ready=resolve,
            ),
            "channel.open",
            timeout=self.timeout if timeout is None else timeout,
        )

    def _forget(self, channel: Channel) -> None:
        """The channel is closed for good."""
        self._channels.remove(channel)
        if self._wire is not None:
            self._wire.protocol.leave(channel.protocol)
        channel.protocol.detach(ConnectionClosed("the channel is closed"))
        for subscription in channel.wanted:
            self._mender.forget(subscription)
        channel.gate.changed()

    def _cancelled(self, subscription: Subscription) -> None:
        """A consumer is not wanted any more; with the last one the broker drops an auto-delete queue."""
        self._mender.forget(subscription)
        queue = self._topology.queues.get(subscription.queue)
        if (
            queue is not None
            and queue.queue.auto_delete
            and not self._channels.is_consumed(subscription.queue)
        ):
            self._topology.forget_queue(subscription.queue)

    def _renamed(self, old: str, new: str) -> None:
        """A queue with a made-up name has a new one."""
        queue = self._topology.rename_queue(old, new)
        self._channels.rename_queue(old, new)
        if queue is not None and queue.on_renamed is not None:
            self._callbacks.call(queue.on_renamed, new)

    def _is_paused(self) -> bool:
        return self._wire is not None and self._wire.paused

    def _is_open_or_closed(self) -> bool:
        if self._closed:
            raise ConnectionClosed("the connection is closed")
        return self.is_open

    def _changed(self) -> None:
        """Wake everyone who may go on now."""
        self._gate.changed()
        self._channels.changed()
