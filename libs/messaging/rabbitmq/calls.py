"""The calling half of RPC: requests out with confirms, replies in by their correlation id."""

from __future__ import annotations

import asyncio
import itertools

from pydantic import ValidationError

from libs.amqp import (
    AmqpError,
    Blocked,
    Channel,
    ConnectionLost,
    Delivery,
    Nacked,
    Properties,
    Publisher,
    Returned,
)
from libs.messaging.caller import Caller
from libs.messaging.contract import AnyOperation
from libs.messaging.errors import (
    AppError,
    CallError,
    Interrupted,
    Overloaded,
    Problem,
    TimedOut,
    Unavailable,
    Unreadable,
)
from libs.messaging.expiry import Expiry
from libs.messaging.message import new_message_id
from libs.messaging.metrics import LATE_REPLIES
from libs.messaging.rabbitmq.headers import request_headers
from libs.messaging.rabbitmq.wire import JSON
from libs.messaging.topology import RPC_EXCHANGE

_MOST_PUBLISHERS = 1024  # some operations bear the name of a process, and processes come and go
_LEAST_BUDGET = 0.001  # s; an `expiration` is an integer of at least 1 ms


def call_error(error: AmqpError, name: str) -> CallError:
    """Why a publication that the broker did not take is no call, or perhaps was one."""
    match error:
        case Returned():
            return Unavailable(f"nobody serves {name}")
        case Nacked():
            return Overloaded(f"the queue of {name} is full")
        case ConnectionLost():
            return Interrupted(name)
        case _:
            return Unavailable(name)


class Calls:
    """The calls of one process that wait for their replies."""

    def __init__(self, channel: Channel, *, user: str, max_in_flight: int) -> None:
        self._channel = channel
        self._user = user
        self._max_in_flight = max_in_flight
        self._publishers: dict[str, Publisher] = {}  # by operation
        self._waiting: dict[str, asyncio.Future[Delivery]] = {}
        self._ids = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._expiry = Expiry(_expire)
        self.reply_queue = ""
        """Where replies are consumed now; empty while there is no such queue."""

    async def ask(self, operation: AnyOperation, body: bytes, caller: Caller, message_id: str = "") -> bytes:
        """The reply's body; raises the service's error, or a `CallError`."""
        name = operation.name
        deadline = caller.deadline
        budget = operation.timeout if deadline is None else min(operation.timeout, deadline.remaining)
        if budget < _LEAST_BUDGET:
            raise TimedOut(name)
        if len(self._waiting) >= self._max_in_flight:
            raise Overloaded(f"{self._max_in_flight} calls wait already")
        if not self.reply_queue:
            raise Unavailable(name)
        correlation_id = f"{next(self._ids):x}"
        reply: asyncio.Future[Delivery] = self._loop.create_future()
        self._expiry.add(reply, budget)
        self._waiting[correlation_id] = reply
        try:
            self._publish(name, body, caller, budget, correlation_id, message_id, reply)
            return _read(await reply, name)
        finally:
            self._expiry.discard(reply)
            del self._waiting[correlation_id]
            del reply  # a refusal's traceback holds this frame, and the future holds the refusal: a ring for the collector

    def _publish(
        self,
        name: str,
        body: bytes,
        caller: Caller,
        budget: float,
        correlation_id: str,
        message_id: str,
        reply: asyncio.Future[Delivery],
    ) -> None:
        def confirmed(error: AmqpError | None) -> None:
            if error is not None and not reply.done():
                reply.set_exception(call_error(error, name))

        try:
            self._publisher(name).publish(
                body,
                headers=request_headers(caller, budget),
                correlation_id=correlation_id,
                reply_to=self.reply_queue,
                expiration=int(budget * 1000),
                message_id=message_id or new_message_id(),
                on_confirm=confirmed,
            )
        except (Blocked, ConnectionLost) as error:
            raise Unavailable(name) from error

    def _publisher(self, name: str) -> Publisher:
        publisher = self._publishers.get(name)
        if publisher is None:
            constant = Properties(content_type=JSON, type=name, user_id=self._user)
            publisher = self._channel.publisher(RPC_EXCHANGE, name, constant, mandatory=True)
            if len(self._publishers) >= _MOST_PUBLISHERS:
                self._publishers.clear()
            self._publishers[name] = publisher
        return publisher

    def on_reply(self, delivery: Delivery) -> None:
        """Hand a reply to the call that waits for it; a late one is counted and forgotten."""
        reply = self._waiting.get(delivery.correlation_id or "")
        if reply is None or reply.done():
            LATE_REPLIES.inc()
        else:
            reply.set_result(delivery)

    def interrupt(self) -> None:
        """Fail every waiting call: its reply cannot come any more."""
        self.reply_queue = ""
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(Interrupted())


def _expire(reply: asyncio.Future[Delivery]) -> None:
    if not reply.done():
        reply.set_exception(TimedOut())


def _read(delivery: Delivery, name: str) -> bytes:
    """The body of a reply; raises the error that an error reply tells of."""
    kind = delivery.type
    if kind == "reply":
        return delivery.body
    if kind != "error":
        raise Unreadable(f"{name} was answered by a message that is neither reply nor error")
    try:
        problem = Problem.model_validate_json(delivery.body)
    except ValidationError as error:
        raise Unreadable(f"{name} was refused by a problem that cannot be read") from error
    raise AppError.from_problem(problem)
