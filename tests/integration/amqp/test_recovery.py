import asyncio
import itertools
import random
from contextlib import suppress

import pytest

from libs.amqp import (
    PERSISTENT,
    Channel,
    Connection,
    ConnectionLost,
    Delivery,
    Exchange,
    NotFound,
    Properties,
    Queue,
    Returned,
)
from libs.local import RabbitMQ
from tests.fixtures.proxy import Proxy
from tests.integration.amqp.conftest import Connect, eventually


class Watch:
    """Hears when a connection is lost and when it is back."""

    def __init__(self, connection: Connection) -> None:
        self.lost: list[ConnectionLost] = []
        self.restored = 0
        connection.on_lost(self.lost.append)
        connection.on_restored(self._count)

    async def _count(self) -> None:
        self.restored += 1


async def _cut_and_wait(proxy: Proxy, watch: Watch) -> None:
    expected = watch.restored + 1
    proxy.cut()
    await eventually(lambda: watch.restored == expected)


async def _routed(channel: Channel, exchange: str, key: str, body: bytes = b"") -> bool:
    """Whether a message found its way; a broker that noticed the cut late lets things be declared late."""
    with suppress(Returned):
        await channel.publish_confirmed(exchange, key, body, mandatory=True)
        return True
    return False


async def test_everything_comes_back_after_a_cut(
    proxied: Connection, proxy: Proxy, connection: Connection
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel(prefetch=2, confirms=True)
    await channel.declare_exchange(Exchange(name="x", type="topic", durable=False, auto_delete=True))
    queue = await channel.declare_queue(Queue(name="q", durable=False, exclusive=True))
    await channel.bind_queue(queue, "x", "a.#")
    await channel.bind_queue(queue, "x", "b.#")
    await channel.unbind_queue(queue, "x", "b.#")
    deliveries: list[Delivery] = []
    await channel.consume(queue, deliveries.append)

    await _cut_and_wait(proxy, watch)

    assert proxied.is_open
    assert len(watch.lost) == 1
    other = await connection.channel(confirms=True)
    for number in range(5):
        await eventually(lambda body=b"%d" % number: _routed(other, "x", "a.b", body))  # type: ignore[misc]  # bound per turn
    await eventually(lambda: len(deliveries) == 2)
    for delivery in deliveries:
        delivery.ack()
    await eventually(lambda: len(deliveries) == 4)
    with pytest.raises(Returned):
        await channel.publish_confirmed("x", "b.c", b"", mandatory=True)


async def test_meanwhile_publications_and_calls_fail_at_once_and_ready_waits(
    proxied: Connection, proxy: Proxy
) -> None:
    channel = await proxied.channel(confirms=True)
    queue = await channel.declare_queue(Queue(name="q"))
    proxy.refuse = True
    proxy.cut()
    await eventually(lambda: not proxied.is_open)

    with pytest.raises(ConnectionLost):
        channel.publish("", queue.name, b"body")
    with pytest.raises(ConnectionLost):
        await channel.declare_queue(Queue(name="q2"))
    with pytest.raises(ConnectionLost):
        await channel.ready(0.05)
    with pytest.raises(ConnectionLost):
        await proxied.wait_open(0.05)
    with pytest.raises(ConnectionLost):
        await proxied.channel()
    proxy.refuse = False
    await channel.ready(30)

    assert proxied.is_open
    await channel.publish_confirmed("", queue.name, b"body", mandatory=True)


async def test_a_queue_named_by_the_broker_returns_under_a_new_name(
    proxied: Connection, proxy: Proxy, connection: Connection
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel()
    renamed: list[str] = []
    queue = await channel.declare_queue(Queue(exclusive=True), on_renamed=renamed.append)
    await channel.bind_queue(queue, "amq.topic", "key")
    old = queue.name
    deliveries: list[Delivery] = []
    consumer = await channel.consume(queue, deliveries.append, no_ack=True)

    await _cut_and_wait(proxy, watch)
    await _cut_and_wait(proxy, watch)

    assert queue.name != old
    assert renamed[-1] == queue.name == consumer.queue
    other = await connection.channel(confirms=True)
    await other.publish_confirmed("", queue.name, b"reply", mandatory=True)
    await other.publish_confirmed("amq.topic", "key", b"event", mandatory=True)
    await eventually(lambda: [delivery.body for delivery in deliveries] == [b"reply", b"event"])


async def test_unsettled_deliveries_come_again_and_settling_the_old_ones_is_harmless(
    proxied: Connection, proxy: Proxy
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel(prefetch=10, confirms=True)
    queue = await channel.declare_queue(Queue(name="q"))
    deliveries: list[Delivery] = []
    await channel.consume(queue, deliveries.append)
    await channel.publish_confirmed("", "q", b"body")
    await eventually(lambda: len(deliveries) == 1)

    await _cut_and_wait(proxy, watch)
    deliveries[0].ack()
    await eventually(lambda: len(deliveries) == 2)
    assert deliveries[1].redelivered
    deliveries[1].ack()

    await channel.close()
    check = await proxied.channel()
    assert (await check.declare_queue(queue.queue)).message_count == 0


async def test_a_stream_reader_resumes_at_its_position(proxied: Connection, proxy: Proxy) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel(prefetch=100, confirms=True)
    stream = await channel.declare_queue(Queue(name="log", arguments={"x-queue-type": "stream"}))
    seen: list[int] = []

    def read(delivery: Delivery) -> None:
        seen.append(delivery.headers["x-stream-offset"])
        delivery.ack()

    await channel.consume(stream, read, arguments=lambda: {"x-stream-offset": seen[-1] + 1 if seen else 0})
    for _ in range(3):
        await channel.publish_confirmed("", "log", b"body", mandatory=True)
    await eventually(lambda: len(seen) == 3)

    await _cut_and_wait(proxy, watch)
    for _ in range(3):
        await channel.publish_confirmed("", "log", b"body", mandatory=True)
    await eventually(lambda: len(seen) >= 6)

    assert seen == [0, 1, 2, 3, 4, 5]


class TestAConsumerThatTheBrokerCancels:
    async def test_it_returns_with_its_queue_and_bindings(self, connect: Connect) -> None:
        connection, operator = await connect(), await connect()
        channel = await connection.channel()
        queue = await channel.declare_queue(Queue(name="q"))
        await channel.bind_queue(queue, "amq.topic", "key")
        deliveries: list[Delivery] = []
        consumer = await channel.consume(queue, deliveries.append)
        other = await operator.channel(confirms=True)

        await other.delete_queue("q")
        await eventually(lambda: not consumer.is_active)
        await eventually(lambda: consumer.is_active)
        await other.publish_confirmed("amq.topic", "key", b"body", mandatory=True)

        await eventually(lambda: len(deliveries) == 1)

    async def test_it_waits_for_a_queue_that_somebody_else_declares(self, connect: Connect) -> None:
        connection, operator = await connect(), await connect()
        other = await operator.channel(confirms=True)
        await other.declare_queue(Queue(name="theirs"))
        channel = await connection.channel()
        deliveries: list[Delivery] = []
        consumer = await channel.consume("theirs", deliveries.append)

        await other.delete_queue("theirs")
        await eventually(lambda: not consumer.is_active)
        await asyncio.sleep(0.2)  # several attempts
        with pytest.raises(NotFound):
            await other.declare_queue(Queue(name="theirs"), passive=True)
        await other.declare_queue(Queue(name="theirs"))
        await other.publish_confirmed("", "theirs", b"body", mandatory=True)

        await eventually(lambda: len(deliveries) == 1)

    async def test_it_can_be_cancelled_while_it_is_away(self, connect: Connect) -> None:
        connection, operator = await connect(), await connect()
        other = await operator.channel()
        await other.declare_queue(Queue(name="theirs"))
        channel = await connection.channel()
        consumer = await channel.consume("theirs", lambda delivery: delivery.ack())
        await other.delete_queue("theirs")
        await eventually(lambda: not consumer.is_active)

        await consumer.cancel()
        await other.declare_queue(Queue(name="theirs"))
        await asyncio.sleep(0.5)  # longer than its attempts are apart

        assert (await other.declare_queue(Queue(name="theirs"), passive=True)).consumer_count == 0


async def test_one_queue_that_cannot_be_restored_does_not_stop_the_others(
    proxied: Connection, proxy: Proxy, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel(confirms=True)
    deliveries: dict[str, list[Delivery]] = {"changed": [], "deleted": [], "fine": []}
    for name, got in deliveries.items():
        await channel.declare_queue(Queue(name=name))
        await channel.consume(name, got.append)
    proxy.refuse = True
    proxy.cut()
    other = await connection.channel(confirms=True)
    await other.delete_queue("changed")
    await other.delete_queue("deleted")
    await other.declare_queue(Queue(name="changed", arguments={"x-max-length": 1}))
    proxy.refuse = False
    await eventually(lambda: watch.restored == 1)

    for name in deliveries:
        await other.publish_confirmed("", name, name.encode(), mandatory=True)
    await eventually(lambda: all(deliveries.values()))

    assert "inequivalent arg 'x-max-length' for queue 'changed'" in caplog.text


async def test_what_is_missing_is_declared_once_it_can_be(
    proxied: Connection, proxy: Proxy, connection: Connection
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel()
    queue = await channel.declare_queue(Queue(name="q", arguments={"x-max-length": 5}))
    await channel.bind_queue(queue, "amq.topic", "key")
    proxy.refuse = True
    proxy.cut()
    other = await connection.channel(confirms=True)
    await other.delete_queue("q")
    await other.declare_queue(Queue(name="q"))
    proxy.refuse = False
    await eventually(lambda: watch.restored == 1)

    await other.delete_queue("q")

    await eventually(lambda: _routed(other, "amq.topic", "key"))
    assert (await other.declare_queue(queue.queue)).message_count == 1


async def test_deleted_things_do_not_come_back(
    proxied: Connection, proxy: Proxy, connection: Connection
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel()
    await channel.declare_exchange(Exchange(name="x"))
    for name in ("deleted", "temporary"):
        await channel.declare_queue(Queue(name=name, auto_delete=name == "temporary"))
        await channel.bind_queue(name, "x")
    consumer = await channel.consume("temporary", lambda delivery: delivery.ack())
    await consumer.cancel()
    await channel.delete_queue("deleted")
    await channel.delete_exchange("x")

    await _cut_and_wait(proxy, watch)

    other = await connection.channel()
    for name in ("deleted", "temporary"):
        with pytest.raises(NotFound):
            await other.declare_queue(Queue(name=name), passive=True)
    with pytest.raises(NotFound):
        await other.declare_exchange(Exchange(name="x"), passive=True)


async def test_a_closed_channel_does_not_come_back(
    proxied: Connection, proxy: Proxy, connection: Connection
) -> None:
    watch = Watch(proxied)
    channel = await proxied.channel()
    queue = await channel.declare_queue(Queue(name="q"))
    await channel.consume(queue, lambda delivery: delivery.ack())
    await channel.close()

    await _cut_and_wait(proxy, watch)

    other = await connection.channel()
    assert (await other.declare_queue(queue.queue, passive=True)).consumer_count == 0


async def test_a_callback_that_fails_stops_nothing(
    proxied: Connection, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("sync")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("async")

    proxied.on_restored(fail)
    proxied.on_restored(fail_later)
    watch = Watch(proxied)

    await _cut_and_wait(proxy, watch)
    await _cut_and_wait(proxy, watch)

    assert proxied.is_open
    assert "sync" in caplog.text
    assert "async" in caplog.text


async def test_what_was_confirmed_is_delivered_whatever_the_line_does(
    proxied: Connection, proxy: Proxy, connect: Connect
) -> None:
    """Cuts at any moment: in the middle of a message, of the handshake, of the restoring."""
    queue = await (await proxied.channel()).declare_queue(Queue(name="q"))
    channel = await proxied.channel(confirms=True, prefetch=20)
    confirmed: set[bytes] = set()
    delivered: set[bytes] = set()

    def take(delivery: Delivery) -> None:
        delivered.add(delivery.body)
        delivery.ack()

    async def publish(body: bytes) -> None:
        while body not in confirmed:
            with suppress(ConnectionLost):
                await channel.publish_confirmed(
                    "", "q", body, Properties(delivery_mode=PERSISTENT), mandatory=True
                )
                confirmed.add(body)

    async def publish_without_end() -> None:
        for number in itertools.count():
            await publish(b"%d" % number)

    await channel.consume(queue, take)
    publishing = asyncio.create_task(publish_without_end())
    moments = random.Random(7)
    for _ in range(40):
        await asyncio.sleep(moments.uniform(0.005, 0.12))
        proxy.cut()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    await publish(b"last")

    await eventually(lambda: confirmed <= delivered)
    assert len(confirmed) > 1
    await proxied.close()
    reader = await (await connect()).channel()

    async def nobody_consumes() -> bool:
        """The broker may notice late that a line was cut."""
        return (await reader.declare_queue(queue.queue)).consumer_count == 0

    await eventually(nobody_consumes)


@pytest.mark.parametrize("abrupt", [False, True], ids=["restart", "kill"])
async def test_a_broker_that_restarts_finds_its_clients_again(
    connect: Connect, broker: RabbitMQ, abrupt: bool
) -> None:
    connection = await connect()
    watch = Watch(connection)
    channel = await connection.channel(prefetch=10, confirms=True)
    queue = await channel.declare_queue(Queue(name="durable"))
    replies = await channel.declare_queue(Queue(exclusive=True))
    bodies: list[bytes] = []

    def take(delivery: Delivery) -> None:
        bodies.append(delivery.body)
        delivery.ack()

    await channel.consume(queue, take)
    await channel.consume(replies, take)

    if abrupt:
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
    else:
        await asyncio.to_thread(broker.restart)
    await connection.wait_open(60)
    await channel.publish_confirmed("", "durable", b"one", mandatory=True)
    await channel.publish_confirmed("", replies.name, b"two", mandatory=True)
    await eventually(lambda: sorted(bodies) == [b"one", b"two"])

    assert len(watch.lost) == 1
