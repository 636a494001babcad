"""What other clients publish is read here, and what is published here is read by them."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aio_pika
import pika
import pytest

from libs.amqp import Connection, Delivery, Properties, Queue
from tests.integration.amqp.conftest import eventually

HEADERS: dict[str, Any] = {
    "bool": True,
    "int": -5,
    "large": 2**40,
    "text": "grüße",
    "none": None,
    "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "decimal": Decimal("3.14"),
    "list": [1, "two", {"three": 3}],
    "table": {"inner": {"deep": "yes"}},
}
SENT = Properties(
    content_type="application/json",
    content_encoding="utf-8",
    headers=HEADERS,
    delivery_mode=2,
    priority=5,
    correlation_id="correlation",
    reply_to="reply.to",
    expiration=60_000,
    message_id="message",
    timestamp=1_767_322_800,
    type="kind",
    app_id="app",
)


@pytest.fixture
async def mailbox(connection: Connection) -> str:
    """A queue that both sides use."""
    channel = await connection.channel()
    return (await channel.declare_queue(Queue(name="mailbox"))).name


async def _receive(connection: Connection, queue: str) -> Delivery:
    channel = await connection.channel()
    deliveries: list[Delivery] = []
    await channel.consume(queue, deliveries.append, no_ack=True)
    await eventually(lambda: len(deliveries) == 1)
    return deliveries[0]


async def _send(connection: Connection, queue: str, body: bytes) -> None:
    channel = await connection.channel(confirms=True)
    await channel.publish_confirmed("", queue, body, SENT, mandatory=True)


def _with_pika(url: str, queue: str, message: tuple[pika.BasicProperties, bytes] | None) -> Any:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    if message is None:
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        connection.close()
        return properties, body
    properties, body = message
    channel.basic_publish("", queue, body, properties)
    connection.close()
    return None


class TestPika:
    async def test_it_reads_what_is_published_here(
        self, connection: Connection, amqp_url: str, mailbox: str
    ) -> None:
        await _send(connection, mailbox, b"x" * 300_000)

        properties, body = await asyncio.to_thread(_with_pika, amqp_url, mailbox, None)

        assert body == b"x" * 300_000
        assert properties.headers == HEADERS
        for name in set(Properties._fields) - {"headers", "expiration"}:
            assert getattr(properties, name) == getattr(SENT, name)
        assert properties.expiration == "60000"

    async def test_what_it_publishes_is_read_here(
        self, connection: Connection, amqp_url: str, mailbox: str
    ) -> None:
        fields = SENT._replace(expiration=None, headers=HEADERS)._asdict()
        message = (pika.BasicProperties(**fields | {"expiration": "60000"}), b"x" * 300_000)

        await asyncio.to_thread(_with_pika, amqp_url, mailbox, message)
        delivery = await _receive(connection, mailbox)

        assert delivery.body == b"x" * 300_000
        assert delivery.properties == SENT


class TestAioPika:
    async def test_it_reads_what_is_published_here(
        self, connection: Connection, amqp_url: str, mailbox: str
    ) -> None:
        await _send(connection, mailbox, b"x" * 300_000)

        async with await aio_pika.connect(amqp_url) as theirs:
            queue = await (await theirs.channel()).get_queue(mailbox)
            message = await queue.get(no_ack=True)

        assert message is not None
        assert message.body == b"x" * 300_000
        assert dict(message.headers) == HEADERS
        assert (message.correlation_id, message.reply_to, message.message_id) == (
            "correlation",
            "reply.to",
            "message",
        )
        assert (message.type, message.app_id, message.priority) == ("kind", "app", 5)
        assert message.expiration == pytest.approx(60)

    async def test_what_it_publishes_is_read_here(
        self, connection: Connection, amqp_url: str, mailbox: str
    ) -> None:
        async with await aio_pika.connect(amqp_url) as theirs:
            channel = await theirs.channel()
            message = aio_pika.Message(
                b"x" * 300_000,
                headers=HEADERS,
                content_type=SENT.content_type,
                content_encoding=SENT.content_encoding,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                priority=SENT.priority,
                correlation_id=SENT.correlation_id,
                reply_to=SENT.reply_to,
                expiration=60,
                message_id=SENT.message_id,
                timestamp=SENT.timestamp,
                type=SENT.type,
                app_id=SENT.app_id,
            )
            await channel.default_exchange.publish(message, mailbox)
        delivery = await _receive(connection, mailbox)

        assert delivery.body == b"x" * 300_000
        assert delivery.properties == SENT
