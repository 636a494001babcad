"""The typed bus: pydantic both ways, deadline, identity, client address and trace in the headers, requests confirmed."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import SecretStr

from benchmarks.echo.terms import PREFETCH, Served
from libs.messaging import (
    Caller,
    Client,
    Handlers,
    Identity,
    Lane,
    Operation,
    Reply,
    Request,
    acting_for,
    topology,
)
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings

if TYPE_CHECKING:
    from benchmarks.load import Call


class EchoRequest(Request):
    """A number."""

    a: int


class EchoReply(Reply):
    """The same number."""

    a: int


ECHO = Operation("bench.echo", EchoRequest, EchoReply)

_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
_SESSIONS = [
    (
        Identity(str(UUID(int=one)), str(UUID(int=one << 64)), "profile"),
        Client(f"203.0.113.{one % 256}", _AGENT),
    )
    for one in range(2000)
]
_CALLERS = random.Random(1).choices(_SESSIONS, k=65_536)
"""Who calls, one after the other."""
_TRACES = [f"00-{one:032x}-{one:016x}-01" for one in range(len(_CALLERS))]


@asynccontextmanager
async def serving(url: str, served: Served) -> AsyncGenerator[None]:
    """Answer until the block ends; a request that lost its caller's metadata on the way is not counted as served."""

    async def echo(request: EchoRequest, caller: Caller) -> EchoReply:
        identity, client = _CALLERS[request.a % len(_CALLERS)]
        came = caller.identity
        came_whole = came is not None and came.sub == identity.sub and caller.client.ip == client.ip
        served.count += bool(came_whole and caller.traceparent and caller.deadline)
        return EchoReply(a=request.a)

    handlers = Handlers("bench", lanes={"": Lane(slots=PREFETCH)})
    handlers.on(ECHO, echo)
    bus = await RabbitBus.open(_settings(url), name="benchmark-server")
    try:
        await bus.declare(topology.served(handlers))
        await bus.serve(handlers)
        yield
        await bus.drain()
    finally:
        await bus.close()


@asynccontextmanager
async def calling(url: str) -> AsyncGenerator[Call]:
    """The call: each on behalf of a caller of its own, as in the gateway."""
    bus = await RabbitBus.open(_settings(url), name="benchmark-client")

    async def call(number: int) -> bool:
        which = number % len(_CALLERS)
        identity, client = _CALLERS[which]
        with acting_for(Caller(identity=identity, client=client, traceparent=_TRACES[which])):
            reply = await bus.call(ECHO, EchoRequest(a=number))
        return reply.a == number

    try:
        yield call
    finally:
        await bus.close()


def _settings(url: str) -> BrokerSettings:
    user = urlsplit(url).username or ""
    return BrokerSettings(url=SecretStr(url), trusted_callers=frozenset({user}))
