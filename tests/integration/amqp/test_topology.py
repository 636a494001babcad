import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from libs.amqp import (
    AccessRefused,
    Binding,
    CallTimeout,
    ChannelClosed,
    Connection,
    Delivery,
    Exchange,
    NotFound,
    PreconditionFailed,
    Properties,
    Queue,
    Returned,
)
from tests.fixtures.proxy import Proxy
from tests.integration.amqp.conftest import eventually

LONG = "é" * 127 + "x"  # 255 bytes


async def test_declaring_is_idempotent_and_tells_counts(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    await channel.declare_queue(Queue(name="q"))
    await channel.publish_confirmed("", "q", b"body")

    declared = await channel.declare_queue(Queue(name="q"))

    assert (declared.name, declared.message_count, declared.consumer_count) == ("q", 1, 0)


async def test_other_arguments_are_refused_with_the_brokers_text(connection: Connection) -> None:
    channel = await connection.channel()
    await channel.declare_queue(Queue(name="q", arguments={"x-max-length": 10}))

    with pytest.raises(PreconditionFailed, match="inequivalent arg 'x-max-length' for queue 'q'") as refusal:
        await channel.declare_queue(Queue(name="q", arguments={"x-max-length": 20}))

    assert refusal.value.code == 406


async def test_a_refusal_reaches_only_the_call_that_caused_it(connection: Connection) -> None:
    channel = await connection.channel()

    outcomes = await asyncio.gather(
        channel.declare_queue(Queue(name="one")),
        channel.declare_queue(Queue(name="amq.reserved")),
        channel.declare_queue(Queue(name="missing"), passive=True),
        channel.declare_queue(Queue(name="two")),
        channel.bind_queue("one", "no-such-exchange"),
        channel.bind_queue("two", "amq.topic", "key"),
        return_exceptions=True,
    )

    assert [type(outcome).__name__ for outcome in outcomes] == [
        "DeclaredQueue",
        "AccessRefused",
        "NotFound",
        "DeclaredQueue",
        "NotFound",
        "NoneType",
    ]


async def test_passive_declares_only_ask(connection: Connection) -> None:
    channel = await connection.channel()

    with pytest.raises(NotFound):
        await channel.declare_queue(Queue(name="q"), passive=True)
    with pytest.raises(NotFound):
        await channel.declare_exchange(Exchange(name="x"), passive=True)
    await channel.declare_exchange(Exchange(name="amq.topic"), passive=True)


async def test_names_of_255_bytes_work_everywhere(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    await channel.declare_exchange(Exchange(name=LONG, type="topic"))
    queue = await channel.declare_queue(Queue(name=LONG[:-1] + "q"))
    await channel.bind_queue(queue, LONG, LONG)
    deliveries: list[Delivery] = []
    await channel.consume(queue, deliveries.append)

    await channel.publish_confirmed(LONG, LONG, b"body", mandatory=True)
    await eventually(lambda: len(deliveries) == 1)

    assert (deliveries[0].exchange, deliveries[0].routing_key) == (LONG, LONG)


async def test_bindings_route_and_unbinding_stops_it(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    for name in ("outer", "inner"):
        await channel.declare_exchange(Exchange(name=name, type="headers"))
    to_inner = Binding(source="outer", destination="inner", to_exchange=True)
    await channel.bind(to_inner)
    for colour in ("red", "blue"):  # two bindings that differ in nothing but their arguments
        await channel.bind_queue(queue, "inner", arguments={"x-match": "all", "colour": colour})

    red, blue = Properties(headers={"colour": "red"}), Properties(headers={"colour": "blue"})
    await channel.publish_confirmed("outer", "", b"", red, mandatory=True)
    await channel.unbind_queue(queue, "inner", arguments={"x-match": "all", "colour": "red"})
    await channel.publish_confirmed("outer", "", b"", blue, mandatory=True)
    with pytest.raises(Returned):
        await channel.publish_confirmed("outer", "", b"", red, mandatory=True)
    await channel.unbind(to_inner)
    with pytest.raises(Returned):
        await channel.publish_confirmed("outer", "", b"", blue, mandatory=True)


async def test_deleting_and_purging_tell_how_many_messages_went(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    await channel.declare_queue(Queue(name="q"))
    for _ in range(3):
        await channel.publish_confirmed("", "q", b"body")

    assert await channel.purge_queue("q") == 3
    await channel.publish_confirmed("", "q", b"body")
    with pytest.raises(PreconditionFailed):
        await channel.delete_queue("q", if_empty=True)
    assert await channel.delete_queue("q") == 1
    assert await channel.delete_queue("q") == 0


async def test_deleting_an_exchange_in_use_is_refused_on_request(connection: Connection) -> None:
    channel = await connection.channel()
    await channel.declare_exchange(Exchange(name="x"))
    queue = await channel.declare_queue(Queue(exclusive=True))
    await channel.bind_queue(queue, "x")

    with pytest.raises(PreconditionFailed):
        await channel.delete_exchange("x", if_unused=True)
    await channel.delete_exchange("x")

    with pytest.raises(NotFound):
        await channel.declare_exchange(Exchange(name="x"), passive=True)


class TestCallsThatAreGivenUp:
    async def test_a_call_that_times_out_shifts_nobodys_answer(
        self, proxied: Connection, proxy: Proxy
    ) -> None:
        channel = await proxied.channel(confirms=True)
        proxy.delay = 0.3

        with pytest.raises(CallTimeout):
            await channel.declare_queue(Queue(name="late"), timeout=0.1)
        second = await channel.declare_queue(Queue(name="second"))
        proxy.delay = 0
        third = await channel.declare_queue(Queue(name="third"))

        assert (second.name, third.name) == ("second", "third")

    @pytest.mark.parametrize("operation", ["declare", "bind", "consume", "publish"])
    async def test_a_cancelled_call_leaves_the_channel_as_it_was(
        self, proxied: Connection, proxy: Proxy, operation: str
    ) -> None:
        channel = await proxied.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))
        calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "declare": lambda: channel.declare_queue(Queue(name="cancelled")),
            "bind": lambda: channel.bind_queue(queue, "amq.topic", "key"),
            "consume": lambda: channel.consume(queue, Delivery.ack),
            "publish": lambda: channel.publish_confirmed("", queue.name, b"body"),
        }
        proxy.delay = 0.2

        task = asyncio.create_task(calls[operation]())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        proxy.delay = 0

        names = [(await channel.declare_queue(Queue(name=f"q{number}"))).name for number in range(3)]
        assert names == ["q0", "q1", "q2"]
        await channel.publish_confirmed("", "q0", b"body", mandatory=True)

    async def test_a_refusal_that_comes_late_disturbs_nobody(self, proxied: Connection, proxy: Proxy) -> None:
        channel = await proxied.channel(confirms=True)
        proxy.delay = 0.2

        with pytest.raises(CallTimeout):
            await channel.declare_queue(Queue(name="amq.reserved"), timeout=0.05)
        declared = await channel.declare_queue(Queue(name="fine"))
        proxy.delay = 0

        assert declared.name == "fine"
        await channel.publish_confirmed("", "fine", b"body", mandatory=True)


async def test_every_refusal_is_a_channel_closed(connection: Connection) -> None:
    channel = await connection.channel()

    with pytest.raises(ChannelClosed) as refusal:
        await channel.declare_exchange(Exchange(name="amq.mine"))

    assert isinstance(refusal.value, AccessRefused)
    assert refusal.value.code == 403
    assert refusal.value.text.startswith("ACCESS_REFUSED")
