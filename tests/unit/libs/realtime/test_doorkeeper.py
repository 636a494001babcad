"""A service that decides who may hear its channels."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.messaging import (
    SERVICES,
    AppError,
    Caller,
    Handlers,
    Operation,
)
from libs.messaging.memory import MemoryBus
from libs.realtime.doorkeeper import ServiceDoorkeeper, SubscribeAnswer, SubscribeQuestion
from libs.realtime.node import Node
from libs.realtime.settings import Namespace
from tests.unit.libs.realtime.clients import FakeClient, new_node

SUBSCRIBE = Operation("room.subscribe", SubscribeQuestion, SubscribeAnswer, access=SERVICES)


class NotAMember(AppError):
    """You are no member of this room."""

    code = "tests.not_a_member"
    status = 403
    title = "You are no member of this room"


async def decide(question: SubscribeQuestion, caller: Caller) -> SubscribeAnswer:
    assert caller.identity is not None
    if question.channel != f"room:{caller.identity.sub}":
        raise NotAMember
    return SubscribeAnswer(expires_at=4_102_444_800, info={"seat": question.data})


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def node(bus: MemoryBus) -> AsyncIterator[Node]:
    node = new_node(namespaces={"room": Namespace(subscribe=frozenset({"service"}))})
    node.doorkeeper = ServiceDoorkeeper(bus)
    await node.start()
    yield node
    await node.stop()
    await bus.close()


async def serve(bus: MemoryBus) -> None:
    handlers = Handlers("room")
    handlers.on(SUBSCRIBE, decide)
    await bus.serve(handlers)


async def test_who_is_let_in_hears_the_channel(bus: MemoryBus, ann: FakeClient) -> None:
    await serve(bus)

    result = await ann.ask(subscribe={"channel": "room:ann", "data": 7})

    assert ann.session.subscriptions["room:ann"].info == b'{"seat":7}'
    assert ann.session.subscriptions["room:ann"].expires_at == 4_102_444_800
    assert "expires" not in result  # an SDK would look for a token, and leave without one


async def test_when_its_time_is_over_the_client_asks_again(bus: MemoryBus, ann: FakeClient) -> None:
    await serve(bus)
    await ann.ask(subscribe={"channel": "room:ann"})
    ann.session.subscriptions["room:ann"].expires_at = 1

    ann.session.beat()
    await asyncio.sleep(0)

    told = {"channel": "room:ann", "unsubscribe": {"code": 2501, "reason": "subscription expired"}}
    assert told in ann.pushes()
    assert "error" not in await ann.ask(subscribe={"channel": "room:ann"})


async def test_no_token_prolongs_what_a_service_grants(bus: MemoryBus, ann: FakeClient) -> None:
    await serve(bus)
    await ann.ask(subscribe={"channel": "room:ann"})

    ann.send({"id": 9, "sub_refresh": {"channel": "room:ann", "token": "t"}})

    assert await ann.until_closed() == (3501, "bad request")


async def test_who_is_not_let_in_is_refused(bus: MemoryBus, ann: FakeClient) -> None:
    await serve(bus)

    assert await ann.error(subscribe={"channel": "room:bob"}) == (103, "permission denied")


async def test_a_service_that_is_away_is_worth_another_try(ann: FakeClient) -> None:
    reply = await ann.ask(subscribe={"channel": "room:ann"})

    assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}
