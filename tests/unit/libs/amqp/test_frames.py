import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, header

from libs.amqp.frames import ack_frame, message, nack_frame, publish_frame, published_to, reject_frame
from libs.amqp.properties import Properties, encode_properties
from tests.unit.libs.amqp.strategies import bodies, short_strings
from tests.unit.libs.amqp.wire_book import sent

_NAMES = st.from_regex(r"[a-zA-Z0-9\-_.:]{0,127}", fullmatch=True)  # what pamqp takes for a name


@given(st.integers(1, 2047), _NAMES, short_strings, bodies, st.booleans(), st.integers(27, 64))
def test_pamqp_reads_a_published_message(
    channel: int, exchange: str, routing_key: str, payload: bytes, mandatory: bool, largest: int
) -> None:
    frame = publish_frame(channel, exchange, routing_key, mandatory=mandatory)
    flags, fields = encode_properties(Properties(content_type="text/plain", message_id="m"))

    (first, publish), (_, head), *rest = sent(message(frame, channel, flags, fields, payload, largest))

    assert isinstance(publish, commands.Basic.Publish)
    assert (first, publish.exchange, publish.routing_key) == (channel, exchange, routing_key)
    assert (publish.mandatory, publish.immediate) == (mandatory, False)
    assert isinstance(head, header.ContentHeader)
    assert head.body_size == len(payload)
    pieces = [piece.value for _, piece in rest if isinstance(piece, body.ContentBody)]
    assert b"".join(pieces) == payload
    assert all(0 < len(piece) <= largest for piece in pieces)


def test_properties_that_do_not_fit_into_a_frame_are_refused() -> None:
    flags, fields = encode_properties(Properties(content_type="text/plain", message_id="m"))

    assert message(b"", 1, flags, fields, b"", 27)
    with pytest.raises(ValueError, match="13 bytes; 12 fit into a frame"):
        message(b"", 1, flags, fields, b"", 26)


@given(short_strings, short_strings, st.booleans())
def test_a_publish_frame_tells_where_it_goes(exchange: str, routing_key: str, mandatory: bool) -> None:
    assert published_to(publish_frame(1, exchange, routing_key, mandatory=mandatory)) == (
        exchange,
        routing_key,
    )


@given(st.integers(1, 2047), st.integers(1, 2**63 - 1), st.booleans())
def test_pamqp_reads_settlements(channel: int, tag: int, flag: bool) -> None:
    data = ack_frame(channel, tag, multiple=flag)
    data += nack_frame(channel, tag, requeue=flag) + reject_frame(channel, tag, requeue=flag)

    (number, ack), (_, nack), (_, reject) = sent(data)

    assert number == channel
    assert isinstance(ack, commands.Basic.Ack)
    assert (ack.delivery_tag, ack.multiple) == (tag, flag)
    assert isinstance(nack, commands.Basic.Nack)
    assert (nack.delivery_tag, nack.multiple, nack.requeue) == (tag, False, flag)
    assert isinstance(reject, commands.Basic.Reject)
    assert (reject.delivery_tag, reject.requeue) == (tag, flag)
