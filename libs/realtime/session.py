"""One client, from the first byte to the last: its commands in order, its answers, its end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import structlog

from libs.messaging import AppError, Caller, Client, Deadline
from libs.realtime.allowance import Allowance
from libs.realtime.appearance import disappear, entries
from libs.realtime.codes import (
    BAD_COMMAND,
    EXPIRED,
    INSUFFICIENT_STATE,
    INTERNAL,
    INVALID_TOKEN,
    NO_PONG,
    NO_SUCH_HANDLER,
    SUBSCRIPTION_EXPIRED,
    TOO_MANY_COMMANDS,
    TOO_MANY_REQUESTS,
    UNSUBSCRIBED_EXPIRED,
    UNSUBSCRIBED_INSUFFICIENT,
    Disconnect,
    Disconnected,
    Error,
    Refused,
    Unsubscribe,
)
from libs.realtime.connection import Connection
from libs.realtime.membership import Subscription, Who
from libs.realtime.node import Node
from libs.realtime.protocol import (
    ClientInfo,
    Command,
    ConnectRequest,
    Malformed,
    Request,
    Result,
    RpcRequest,
    SendRequest,
)
from libs.realtime.refusals import refusal

_log = structlog.get_logger(__name__)
_INBOX = 128  # commands that may wait behind a slow one before the client is held back
_BURST = 10.0  # seconds of commands that may come at once


Handler: TypeAlias = Callable[["Session", Any], Awaitable[Result | None]]


class Session:
    """What a node knows of one connection. Nothing runs for it while its client is silent."""

    __slots__ = (
        "_allowance",
        "_calls",
        "_client",
        "_handlers",
        "_inbox",
        "_refused",
        "_worker",
        "arrivals",
        "awaiting_pong",
        "closed",
        "connection",
        "handshake_token",
        "id",
        "node",
        "spoke",
        "subscriptions",
        "who",
    )

    def __init__(
        self, node: Node, connection: Connection, client: Client, handlers: Mapping[type[Request], Handler]
    ) -> None:
        self.node = node
        self.handshake_token = ""  # what a cookie of the handshake said, for a client that shows none
        self.connection = connection
        self.id = str(uuid.uuid4())
        self.who: Who | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.closed = False
        self.awaiting_pong = False
        self.spoke = 0
        self._client = client
        self._handlers = handlers
        self._inbox: deque[Command] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] | None = None
        self._refused = False
        self._allowance = Allowance(_BURST * node.settings.commands_per_second)
        self.arrivals: Allowance | None = None

    @property
    def is_known(self) -> bool:
        """Whether the client was let in."""
        return self.who is not None and not self._refused

    def info(self, subscription: Subscription | None = None) -> ClientInfo:
        """The client as others in a channel see it."""
        who = self.who or Who("")
        return ClientInfo(who.user, self.id, who.info, subscription.info if subscription else b"")

    def become(self, who: Who) -> None:
        """Be known as ``who``; raises `Disconnected` for another user than before, or one with too many connections."""
        registry, before = self.node.registry, self.who
        if before is not None and before.user != who.user:
            raise Disconnected(INVALID_TOKEN)
        if before is not None:
            registry.leave(self, user=before.user, sid=before.sid)
        registry.admit(self, user=who.user, sid=who.sid)
        self.who = who

    def caller(self) -> Caller:
        """On whose behalf calls are made, and how long the client waits for them."""
        deadline = Deadline.after(self.node.settings.command_timeout)
        return Caller(self.who.identity if self.who else None, self._client, deadline)

    def receive(self, frame: bytes) -> None:
        """Take a frame: its commands are done one after the other, its calls side by side."""
        if self.closed:
            return
        codec = self.connection.format.codec
        if frame == codec.ping and self.awaiting_pong:  # all that an idle client ever says
            self.awaiting_pong = False
            return
        try:
            commands = codec.decode(frame)
        except Malformed:
            self.end(BAD_COMMAND)
            return
        rate = self.node.settings.commands_per_second
        if not self._allowance.take(len(commands), rate, _BURST * rate):
            self.end(TOO_MANY_COMMANDS)
            return
        for command in commands:
            if command.id or isinstance(command.request, SendRequest):
                self._enqueue(command)
            elif command.request is None and (self.who is not None or self._worker is not None):
                self.awaiting_pong = False  # a pong, also one that nobody asked for
            else:
                self.end(BAD_COMMAND)
                return

    def beat(self) -> None:
        """Ping, and see whether a token is over. Pings go out on a busy line too: the SDKs wait for them."""
        now = time.time()
        if self.who is not None and self._is_over(self.who, now):
            self.end(EXPIRED)
            return
        for name, subscription in list(self.subscriptions.items()):
            if self._is_over(subscription, now):
                self.expire(name, subscription)
        if not self.closed:
            self.node.attendance.renew(entries(self, self.subscriptions.values()))
            self.awaiting_pong = True
            self.node.hub.send(self.connection, self.connection.format.ping)

    def expect_pong(self) -> None:
        """The time to answer the ping is over."""
        if self.awaiting_pong:
            self.end(NO_PONG)

    def expire(self, name: str, subscription: Subscription) -> None:
        """A subscription's token is over, and no newer one came."""
        if subscription.server_side:
            self.end(SUBSCRIPTION_EXPIRED)
        else:
            self.unsubscribe(name, UNSUBSCRIBED_EXPIRED)

    def lose_positions(self) -> None:
        """The log cannot tell what this client missed: it must subscribe anew, and is told then."""
        positioned = [name for name, one in self.subscriptions.items() if one.positioned]
        if any(self.subscriptions[name].server_side for name in positioned):
            self.end(INSUFFICIENT_STATE)
            return
        for name in positioned:
            self.unsubscribe(name, UNSUBSCRIBED_INSUFFICIENT)

    def unsubscribe(self, name: str, reason: Unsubscribe | None = None) -> None:
        """End a subscription; with a ``reason`` the client is told. Harmless when there is none."""
        subscription = self.subscriptions.pop(name, None)
        if subscription is None:
            return
        self.node.hub.leave(name, self.connection)
        disappear(self, [subscription])
        if reason is not None:
            self.push(self.connection.format.codec.push(name, reason))

    def push(self, message: bytes) -> None:
        """Send one message, at the end of this turn."""
        if not self.closed:
            self.node.hub.send(self.connection, self.connection.format.frames([message]))

    def end(self, disconnect: Disconnect) -> None:
        """Close the connection with a code; harmless when it is closed."""
        if not self.closed:
            self.node.hub.flush_line(self.connection)
            self.connection.close(disconnect)
            self.lost()

    def lost(self) -> None:
        """The connection is gone: nobody hears of this client any more, and what it asked for is given up."""
        if self.closed:
            return
        self.closed = True
        node = self.node
        node.registry.close(self)
        if self.who is not None:
            node.registry.leave(self, user=self.who.user, sid=self.who.sid)
        node.wheel.discard(self)
        self.connection.due.clear()
        for name in self.subscriptions:
            node.hub.leave(name, self.connection)
        disappear(self, list(self.subscriptions.values()))
        self.subscriptions.clear()
        for task in (self._worker, *(self._calls or ())):
            if task is not None and task is not asyncio.current_task():
                task.cancel()

    def _is_over(self, one: Who | Subscription, now: float) -> bool:
        """Whether its time is over, and for what a newer token prolongs also the time to bring one."""
        grace = self.node.settings.expiry_grace if one.refreshable else 0.0
        return one.expires_at is not None and one.expires_at + grace <= now

    def _enqueue(self, command: Command) -> None:
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(command)
        if self._worker is None:
            self._worker = self.node.spawn(self._work(self._inbox))
        elif len(self._inbox) >= _INBOX:
            self.connection.pause()

    async def _work(self, inbox: deque[Command]) -> None:
        """Do what was asked, in order; whatever comes behind a connect waits until it is answered."""
        try:
            while inbox and not self.closed:
                command = inbox.popleft()
                if isinstance(command.request, RpcRequest) and self.who is not None:
                    self._call(command)
                else:
                    await self._do(command)
        finally:
            self._worker = self._inbox = None
            if not self.closed:
                self.connection.resume()

    def _call(self, command: Command) -> None:
        """Run a call beside everything else, so that a slow one holds nothing up."""
        if self._calls is None:
            self._calls = set()
        if len(self._calls) >= self.node.settings.max_rpcs:
            self._refuse(command, TOO_MANY_REQUESTS)
            return
        task = self.node.spawn(self._do(command))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _do(self, command: Command) -> None:
        try:
            result = await self._result(command.request)
            if result is not None:
                self.push(self.connection.format.codec.reply(command.id, result))
        except Disconnected as error:
            self.end(error.disconnect)
        except Refused as error:
            self._refuse(command, error.error)
        except AppError as error:
            self._refuse(command, refusal(error))
        except TimeoutError:
            self._refuse(command, INTERNAL)
        except Exception:  # ruff: ignore[blind-except]  # whatever fails inside, the client is answered and the others go on
            _log.exception("realtime_command_failed", request=type(command.request).__name__)
            self._refuse(command, INTERNAL)

    async def _result(self, request: Request | None) -> Result | None:
        handler = None if request is None else self._handlers.get(type(request))
        expected = (self.who is None) == isinstance(request, ConnectRequest)
        if not expected or self._refused:
            raise Disconnected(BAD_COMMAND)
        if handler is None:
            raise Disconnected(NO_SUCH_HANDLER if isinstance(request, SendRequest) else BAD_COMMAND)
        async with asyncio.timeout(self.node.settings.command_timeout):
            return await handler(self, request)

    def _refuse(self, command: Command, error: Error) -> None:
        # After a refused connect the client has nothing more to say.
        self._refused = self._refused or isinstance(command.request, ConnectRequest)
        self.push(self.connection.format.codec.refusal(command.id, error))
