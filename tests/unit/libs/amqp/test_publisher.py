import asyncio
from typing import Any

import pytest
from hypothesis import given
from pamqp import commands, header

from libs.amqp import AmqpError, Properties, Publisher, encode_table
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.frames import publish_frame
from libs.amqp.properties import encode_properties
from libs.amqp.publisher import Addresses
from tests.unit.libs.amqp import wire_book
from tests.unit.libs.amqp.broker import Line
from tests.unit.libs.amqp.strategies import properties as any_properties

_NONE = Properties()
_PER_MESSAGE = ("headers", "correlation_id", "reply_to", "expiration", "message_id", "timestamp")


def _publisher(properties: Properties = _NONE, *, confirming: bool = False) -> tuple[Publisher, Line]:
    channel = ChannelProtocol(3, prefetch=0, confirming=confirming)
    line = Line(channel)
    line.answers()
    return Publisher(channel, Addresses(3), "exchange", "key", properties, mandatory=True), line


def _published(data: bytes) -> tuple[commands.Basic.Publish, header.ContentHeader]:
    (_, publish), (_, head), *_ = wire_book.sent(data)
    assert isinstance(publish, commands.Basic.Publish)
    assert isinstance(head, header.ContentHeader)
    return publish, head


@given(any_properties)
def test_constant_and_own_properties_of_a_message_are_one_set(properties: Properties) -> None:
    own = {name: getattr(properties, name) for name in _PER_MESSAGE}
    publisher, line = _publisher(properties._replace(**dict.fromkeys(_PER_MESSAGE)))
    channel = ChannelProtocol(3, prefetch=0, confirming=False)
    other = Line(channel)
    other.answers()

    publisher.publish(b"body", **own)
    channel.publish(*_parts(properties), b"body", None)

    assert line.outgoing.take() == other.outgoing.take()


def _parts(properties: Properties) -> tuple[bytes, int, bytes]:
    return publish_frame(3, "exchange", "key", mandatory=True), *encode_properties(properties)


def test_the_routing_key_may_be_the_messages_own() -> None:
    publisher, line = _publisher()

    publisher.publish(b"body", routing_key="other")

    publish, _ = _published(line.outgoing.take())
    assert (publish.exchange, publish.routing_key, publish.mandatory) == ("exchange", "other", True)


def test_headers_may_be_encoded_before() -> None:
    publisher, line = _publisher()

    publisher.publish(b"body", headers=encode_table({"a": 1}))

    _, head = _published(line.outgoing.take())
    assert isinstance(head.properties, commands.Basic.Properties)
    assert head.properties.headers == {"a": 1}


@pytest.mark.parametrize("name", _PER_MESSAGE)
def test_what_belongs_to_a_message_is_refused_as_a_constant(name: str) -> None:
    value: Any = {} if name == "headers" else 1 if name in {"expiration", "timestamp"} else "x"

    with pytest.raises(ValueError, match=name):
        _publisher(Properties()._replace(**{name: value}))


def test_a_value_that_cannot_be_encoded_sends_nothing() -> None:
    publisher, line = _publisher(confirming=True)

    with pytest.raises(ValueError, match="255"):
        publisher.publish(b"body", correlation_id="x" * 256)

    assert line.outgoing.take() == b""


def test_addresses_beyond_the_bound_are_forgotten_and_made_again() -> None:
    addresses = Addresses(1)
    first = addresses.frame("", "0", False)

    for number in range(3000):
        addresses.frame("", str(number), False)

    assert addresses.frame("", "0", False) == first


async def test_outcomes_come_by_callback_or_by_confirmation() -> None:
    publisher, line = _publisher(confirming=True)
    told: list[AmqpError | None] = []

    publisher.publish(b"one", on_confirm=told.append)
    confirmation = publisher.submit(b"two")
    line.says(commands.Basic.Ack(2, True))

    assert told == [None]
    async with asyncio.timeout(30):
        await confirmation


def test_the_message_id_is_the_messages_own() -> None:
    publisher, line = _publisher(Properties(type="kind"))

    publisher.publish(b"body", message_id="m", correlation_id="c", expiration=5)

    raw = line.outgoing.take()
    _, head = _published(raw)
    assert isinstance(head.properties, commands.Basic.Properties)
    assert (head.properties.message_id, head.properties.correlation_id) == ("m", "c")
    assert (head.properties.expiration, head.properties.message_type) == ("5", "kind")
