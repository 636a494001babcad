import asyncio
from collections.abc import Callable

import pytest

from libs.amqp import (
    AccessRefused,
    AlreadySettled,
    CallTimeout,
    Channel,
    Connection,
    Delivery,
    Exchange,
    NotFound,
    Properties,
    Queue,
    ResourceLocked,
)
from tests.fixtures.proxy import Proxy
from tests.integration.amqp.conftest import Connect, eventually


async def _fill(channel: Channel, queue: str, count: int) -> None:
    await asyncio.gather(*[channel.submit("", queue, b"%d" % number) for number in range(count)])


async def test_a_delivery_tells_everything(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    await channel.declare_exchange(Exchange(name="topic", type="topic"))
    await channel.bind_queue(queue, "topic", "a.*")
    deliveries: list[Delivery] = []
    properties = Properties(
        content_type="text/plain",
        content_encoding="identity",
        headers={"deadline": 1_700_000_000_000, "nested": {"list": [1, "two", 3.5, None, True]}},
        delivery_mode=2,
        priority=3,
        correlation_id="c-1",
        reply_to="replies",
        expiration=60_000,
        message_id="m-1",
        timestamp=1_700_000_000,
        type="greeting",
        app_id="test",
    )

    await channel.consume(queue, deliveries.append)
    await channel.publish_confirmed("topic", "a.b", b"hello", properties, mandatory=True)
    await eventually(lambda: len(deliveries) == 1)

    delivery = deliveries[0]
    assert (delivery.exchange, delivery.routing_key, delivery.body) == ("topic", "a.b", b"hello")
    assert (delivery.delivery_tag, delivery.redelivered) == (1, False)
    assert delivery.properties == properties
    assert delivery.headers == properties.headers
    assert (delivery.correlation_id, delivery.reply_to) == ("c-1", "replies")
    assert (delivery.message_id, delivery.type) == ("m-1", "greeting")


class TestPrefetch:
    async def test_a_consumer_gets_no_more_than_its_prefetch_before_it_settles(
        self, connection: Connection
    ) -> None:
        channel = await connection.channel(prefetch=3, confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))
        await _fill(channel, queue.name, 10)
        deliveries: list[Delivery] = []

        await channel.consume(queue, deliveries.append)
        await eventually(lambda: len(deliveries) == 3)
        await channel.declare_queue(queue.queue, passive=False)  # a round trip, in which more would have come
        assert len(deliveries) == 3
        deliveries[0].ack()
        await eventually(lambda: len(deliveries) == 4)

    async def test_each_consumer_of_a_channel_may_have_its_own(self, connection: Connection) -> None:
        channel = await connection.channel(prefetch=5, confirms=True)
        counts: list[int] = []
        for prefetch, expected in ((2, 2), (None, 5), (4, 4)):
            queue = await channel.declare_queue(Queue(exclusive=True))
            await _fill(channel, queue.name, 10)
            deliveries: list[Delivery] = []
            await channel.consume(queue, deliveries.append, prefetch=prefetch)
            await eventually(lambda: len(deliveries) >= expected)  # ruff: ignore[function-uses-loop-variable] - waited for here
            await channel.declare_queue(Queue(exclusive=True))  # a round trip, in which more would have come
            counts.append(len(deliveries))

        assert counts == [2, 5, 4]


class TestSettling:
    async def test_acks_leave_the_queue_empty(self, connection: Connection) -> None:
        channel = await connection.channel(prefetch=100, confirms=True)
        queue = await channel.declare_queue(Queue(name="acked"))
        await _fill(channel, queue.name, 1000)
        left = set(range(1000))

        def settle(delivery: Delivery) -> None:
            left.discard(int(delivery.body))
            delivery.ack()

        consumer = await channel.consume(queue, settle)
        await eventually(lambda: not left)
        await consumer.cancel()
        await channel.close()

        check = await connection.channel()
        assert (await check.declare_queue(queue.queue)).message_count == 0

    async def test_acks_in_any_order_settle_exactly_what_they_name(self, connection: Connection) -> None:
        channel = await connection.channel(prefetch=10, confirms=True)
        queue = await channel.declare_queue(Queue(name="mixed"))
        await _fill(channel, queue.name, 10)
        deliveries: list[Delivery] = []
        await channel.consume(queue, deliveries.append)
        await eventually(lambda: len(deliveries) == 10)

        for place in (7, 0, 1, 3, 9):
            deliveries[place].ack()
            await asyncio.sleep(0)
        await channel.close()

        again = await connection.channel()
        came_back: list[Delivery] = []
        await again.consume(queue, came_back.append)
        await eventually(lambda: len(came_back) == 5)
        assert sorted(int(delivery.body) for delivery in came_back) == [2, 4, 5, 6, 8]
        assert all(delivery.redelivered for delivery in came_back)

    @pytest.mark.parametrize("refuse", [Delivery.nack, Delivery.reject])
    async def test_a_refused_delivery_is_requeued_or_dead_lettered(
        self, connection: Connection, refuse: Callable[..., None]
    ) -> None:
        channel = await connection.channel(confirms=True)
        dead = await channel.declare_queue(Queue(exclusive=True))
        queue = await channel.declare_queue(
            Queue(
                exclusive=True,
                arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name},
            )
        )
        attempts: list[bool] = []
        letters: list[Delivery] = []

        def fail(delivery: Delivery) -> None:
            attempts.append(delivery.redelivered)
            refuse(delivery, requeue=not delivery.redelivered)

        await channel.consume(queue, fail)
        await channel.consume(dead, letters.append)
        await channel.publish_confirmed("", queue.name, b"bad")
        await eventually(lambda: len(letters) == 1)

        assert attempts == [False, True]
        assert letters[0].headers["x-first-death-reason"] == "rejected"

    async def test_a_delivery_is_settled_once(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))
        deliveries: list[Delivery] = []
        await channel.consume(queue, deliveries.append)
        await channel.publish_confirmed("", queue.name, b"body")
        await eventually(lambda: len(deliveries) == 1)

        deliveries[0].ack()

        assert deliveries[0].settled
        for settle in (deliveries[0].ack, deliveries[0].nack, deliveries[0].reject):
            with pytest.raises(AlreadySettled):
                settle()

    async def test_without_acks_there_is_nothing_to_settle(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))
        deliveries: list[Delivery] = []
        await channel.consume(queue, deliveries.append, no_ack=True)
        await _fill(channel, queue.name, 5)
        await eventually(lambda: len(deliveries) == 5)

        with pytest.raises(AlreadySettled):
            deliveries[0].ack()


class TestStopping:
    async def test_a_graceful_stop_lets_running_handlers_finish(self, connection: Connection) -> None:
        channel = await connection.channel(prefetch=5, confirms=True)
        queue = await channel.declare_queue(Queue(name="work"))
        await _fill(channel, queue.name, 20)
        tasks: set[asyncio.Task[None]] = set()
        release = asyncio.Event()
        finished: list[int] = []

        async def handle(delivery: Delivery) -> None:
            await release.wait()
            finished.append(int(delivery.body))
            delivery.ack()

        consumer = await channel.consume(
            queue, lambda delivery: tasks.add(asyncio.create_task(handle(delivery)))
        )
        await eventually(lambda: len(tasks) == 5)
        await consumer.cancel()
        release.set()
        await asyncio.gather(*tasks)
        await connection.close()

        assert sorted(finished) == [0, 1, 2, 3, 4]

    async def test_what_was_finished_does_not_come_again(self, connect: Connect) -> None:
        first, second = await connect(), await connect()
        channel = await first.channel(prefetch=5, confirms=True)
        queue = await channel.declare_queue(Queue(name="work"))
        await _fill(channel, queue.name, 20)
        deliveries: list[Delivery] = []
        await channel.consume(queue, deliveries.append)
        await eventually(lambda: len(deliveries) == 5)
        for delivery in deliveries:
            delivery.ack()
        await first.close()
        seen: list[int] = []

        other = await second.channel()
        await other.consume(queue, lambda delivery: seen.append(int(delivery.body)))
        await eventually(lambda: len(seen) == 15)

        assert sorted(seen) == list(range(5, 20))

    async def test_a_cancelled_consumer_gets_nothing_more(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(name="quiet"))
        deliveries: list[Delivery] = []
        consumer = await channel.consume(queue, deliveries.append)

        await consumer.cancel()
        await consumer.cancel()
        await channel.publish_confirmed("", queue.name, b"later")

        assert not consumer.is_active
        assert (await channel.declare_queue(queue.queue, passive=True)).message_count == 1
        assert deliveries == []


class TestRefusals:
    async def test_a_missing_queue(self, connection: Connection) -> None:
        channel = await connection.channel()

        with pytest.raises(NotFound, match="no queue 'missing'"):
            await channel.consume("missing", Delivery.ack)

    async def test_an_exclusive_consumer_keeps_others_out(self, connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue(Queue(name="mine"))
        await channel.consume(queue, Delivery.ack, exclusive=True)

        with pytest.raises(AccessRefused, match="exclusive use"):
            await channel.consume(queue, Delivery.ack)

    async def test_another_connections_exclusive_queue(self, connect: Connect) -> None:
        first, second = await connect(), await connect()
        queue = await (await first.channel()).declare_queue(Queue(exclusive=True))

        with pytest.raises(ResourceLocked):
            await (await second.channel()).consume(queue, Delivery.ack)


async def test_a_consume_that_is_given_up_is_taken_back(proxied: Connection, proxy: Proxy) -> None:
    channel = await proxied.channel(confirms=True)
    queue = await channel.declare_queue(Queue(name="abandoned"))
    await _fill(channel, queue.name, 3)
    deliveries: list[Delivery] = []
    proxy.delay = 0.3

    with pytest.raises(CallTimeout):
        await channel.consume(queue, deliveries.append, timeout=0.1)
    proxy.delay = 0

    async def taken_back() -> bool:
        """Asked behind the call that was given up, so that the broker has begun it when it answers."""
        declared = await channel.declare_queue(queue.queue, passive=True)
        return (declared.message_count, declared.consumer_count) == (3, 0)

    await eventually(taken_back)
    assert deliveries == []


async def test_a_stream_is_read_from_where_its_reader_stands(connection: Connection) -> None:
    channel = await connection.channel(confirms=True)
    stream = await channel.declare_queue(Queue(name="log", arguments={"x-queue-type": "stream"}))
    await _fill(channel, stream.name, 10)
    seen: list[int] = []

    def read(delivery: Delivery) -> None:
        seen.append(delivery.headers["x-stream-offset"])
        delivery.ack()

    await channel.consume(stream, read, prefetch=100, arguments={"x-stream-offset": 4})
    await eventually(lambda: len(seen) >= 6)

    assert seen == [4, 5, 6, 7, 8, 9]
