import asyncio
from collections import Counter

import pytest

from libs.amqp import (
    PERSISTENT,
    AccessRefused,
    AmqpError,
    CallTimeout,
    ChannelInterrupted,
    Connection,
    ConnectionLost,
    Delivery,
    Exchange,
    Nacked,
    NotFound,
    PreconditionFailed,
    Properties,
    Queue,
    Returned,
)
from tests.fixtures.proxy import Proxy
from tests.integration.amqp.conftest import Connect, eventually


async def test_confirms_are_awaited_one_by_one_or_as_a_window(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))

    await channel.publish_confirmed("", queue.name, b"one", mandatory=True)
    window = [channel.submit("", queue.name, b"%d" % number, mandatory=True) for number in range(500)]
    await asyncio.gather(*window)

    assert (await channel.declare_queue(Queue(name=queue.name), passive=True)).message_count == 501
    assert channel.unconfirmed == 0


async def test_callbacks_hear_of_every_confirm_without_a_future_each(connection: Connection) -> None:
    channel = await connection.channel(confirms=True, window=100)
    queue = await channel.declare_queue(Queue(exclusive=True))
    publisher = channel.publisher("", queue.name, Properties(delivery_mode=PERSISTENT), mandatory=True)
    told: list[AmqpError | None] = []

    for number in range(1000):
        await channel.ready()
        assert channel.unconfirmed < 100
        publisher.publish(b"%d" % number, message_id=str(number), on_confirm=told.append)
    await channel.wait_for_confirms()

    assert told == [None] * 1000


async def test_a_nack_an_unroutable_return_and_a_lost_line_are_three_errors(
    connection: Connection, proxied: Connection, proxy: Proxy
) -> None:
    channel = await connection.channel(confirms=True)
    full = await channel.declare_queue(
        Queue(exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    )
    await channel.publish_confirmed("", full.name, b"fits")

    with pytest.raises(Nacked):
        await channel.publish_confirmed("", full.name, b"does not fit")
    with pytest.raises(Returned) as returned:
        await channel.publish_confirmed("", "nobody", b"unroutable", mandatory=True)
    lossy = await proxied.channel(confirms=True)
    proxy.swallow = True
    confirmation = lossy.submit("", full.name, b"lost")
    proxy.cut()
    with pytest.raises(ConnectionLost):
        await confirmation

    assert (returned.value.code, returned.value.exchange, returned.value.routing_key) == (312, "", "nobody")


async def test_of_many_in_flight_exactly_the_unroutable_ones_fail(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))

    confirmations = [
        channel.submit(
            "",
            "nobody" if number % 3 == 0 else queue.name,
            b"same body",
            Properties(type="same"),
            mandatory=True,
        )
        for number in range(600)
    ]
    outcomes = await asyncio.gather(*confirmations, return_exceptions=True)

    assert [isinstance(outcome, Returned) for outcome in outcomes] == [
        number % 3 == 0 for number in range(600)
    ]
    assert [outcome is None for outcome in outcomes] == [number % 3 != 0 for number in range(600)]


async def test_of_messages_with_equal_ids_exactly_the_unroutable_ones_fail(connection: Connection) -> None:
    """The address or the body tells them apart."""
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    twins = Properties(message_id="same", correlation_id="same")

    confirmations = [
        channel.submit("", route, body, twins, mandatory=True)
        for body in (b"1", b"2")
        for route in (queue.name, "nobody", queue.name)
    ]
    outcomes = await asyncio.gather(*confirmations, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), Returned, type(None)] * 2


class TestRefusals:
    async def test_a_missing_exchange_fails_its_publication_and_no_other_channel_use(
        self, connection: Connection
    ) -> None:
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))
        bodies: list[bytes] = []
        await channel.consume(queue, lambda delivery: bodies.append(delivery.body))

        with pytest.raises(NotFound, match="no exchange 'missing'"):
            await channel.publish_confirmed("missing", "key", b"body")
        await channel.publish_confirmed("", queue.name, b"after")
        await eventually(lambda: bodies == [b"after"])

    async def test_a_batch_around_it_gets_the_refusal_only_where_it_belongs(
        self, connection: Connection
    ) -> None:
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))

        confirmations = [
            channel.submit("missing" if number == 25 else "", queue.name, b"%d" % number)
            for number in range(50)
        ]
        outcomes = await asyncio.gather(*confirmations, return_exceptions=True)

        assert isinstance(outcomes[25], NotFound)
        assert all(
            outcome is None or isinstance(outcome, ChannelInterrupted)
            for number, outcome in enumerate(outcomes)
            if number != 25
        )

    async def test_a_forged_user_id_is_refused_with_the_brokers_text(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)

        with pytest.raises(PreconditionFailed, match="user_id property set to 'mallory'"):
            await channel.publish_confirmed("", "queue", b"body", Properties(user_id="mallory"))

    async def test_a_header_of_the_wrong_type_fails_its_publication_and_no_other(
        self, connection: Connection
    ) -> None:
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))

        confirmations = [
            channel.submit("", queue.name, body, Properties(headers={"CC": copies}))
            for body, copies in ((b"before", ["q"]), (b"wrong", "no array"), (b"after", ["q"]))
        ]
        outcomes = await asyncio.gather(*confirmations, return_exceptions=True)

        assert isinstance(outcomes[1], PreconditionFailed)
        assert all(
            each is None or isinstance(each, ChannelInterrupted) for each in (outcomes[0], outcomes[2])
        )

    async def test_an_internal_exchange_refuses_publications(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)
        await channel.declare_exchange(Exchange(name="inside", internal=True))

        with pytest.raises(AccessRefused, match="exchange 'inside'"):
            await channel.publish_confirmed("inside", "key", b"body")

    async def test_without_confirms_the_channel_survives_and_the_log_tells(
        self, connection: Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        channel = await connection.channel()

        channel.publish("missing", "key", b"body")
        await channel.declare_queue(Queue(exclusive=True))

        assert "no exchange 'missing'" in caplog.text


async def test_properties_may_fill_one_frame_and_not_a_byte_more(connection: Connection) -> None:
    lost: list[ConnectionLost] = []
    connection.on_lost(lost.append)
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    text = "v" * (131_072 - 8 - 14 - 11)  # around it stand a frame, the content's head, a table with one name

    await channel.publish_confirmed("", queue.name, b"body", Properties(headers={"k": text}))
    with pytest.raises(ValueError, match="fit into a frame"):
        await channel.publish_confirmed("", queue.name, b"body", Properties(headers={"k": text + "v"}))

    await channel.publish_confirmed("", queue.name, b"after")
    assert lost == []


async def test_a_confirm_that_does_not_come_in_time_is_not_waited_for(
    proxied: Connection, proxy: Proxy
) -> None:
    channel = await proxied.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    proxy.delay = 0.5

    with pytest.raises(CallTimeout):
        await channel.publish_confirmed("", queue.name, b"slow", timeout=0.1)
    proxy.delay = 0

    await channel.publish_confirmed("", queue.name, b"fast")
    assert channel.unconfirmed == 0


async def test_confirms_that_do_not_come_are_waited_for_in_time(proxied: Connection, proxy: Proxy) -> None:
    channel = await proxied.channel(confirms=True)
    proxy.swallow = True
    confirmation = channel.submit("", "nobody", b"body")

    with pytest.raises(CallTimeout, match="1 publications"):
        await channel.wait_for_confirms(0.1)
    proxy.cut()

    with pytest.raises(ConnectionLost):
        await confirmation


async def test_a_pause_after_each_read_loses_neither_confirms_nor_returns_nor_heartbeats(
    connect: Connect,
) -> None:
    connection = await connect(read_pause=0.02, heartbeat=3)
    lost: list[ConnectionLost] = []
    connection.on_lost(lost.append)
    channel = await connection.channel(confirms=True, window=100)
    queue = await channel.declare_queue(Queue(exclusive=True))
    publisher = channel.publisher("", queue.name, mandatory=True)
    told: list[AmqpError | None] = []

    for number in range(300):
        await channel.ready()
        publisher.publish(b"%d" % number, on_confirm=told.append)
    await channel.wait_for_confirms()
    with pytest.raises(Returned):
        await channel.publish_confirmed("", "nobody", b"body", mandatory=True)
    await asyncio.sleep(7)  # the broker gives up a client that is silent for two heartbeats

    assert told == [None] * 300
    assert lost == []


async def test_of_twenty_thousand_messages_none_is_missing_and_none_comes_twice(
    connection: Connection,
) -> None:
    channel = await connection.channel(confirms=True, window=500)
    reader = await connection.channel()
    queue = await channel.declare_queue(Queue(name="many"))
    publisher = channel.publisher("", queue.name, Properties(delivery_mode=PERSISTENT), mandatory=True)
    seen, failures = Counter[int](), list[AmqpError | None]()

    def count(delivery: Delivery) -> None:
        seen[int(delivery.body)] += 1
        delivery.ack()

    await reader.consume(queue, count, prefetch=500)
    for number in range(20_000):
        await channel.ready()
        publisher.publish(b"%d" % number, on_confirm=failures.append)
    await channel.wait_for_confirms()
    await eventually(lambda: len(seen) == 20_000)

    assert set(failures) == {None}
    assert set(seen.values()) == {1}
    await reader.close()
    assert (await channel.declare_queue(queue.queue, passive=True)).message_count == 0
