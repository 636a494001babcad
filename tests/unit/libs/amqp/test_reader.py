from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands

from libs.amqp import ProtocolError
from libs.amqp.frames import DELIVER, HEARTBEAT_FRAME
from libs.amqp.properties import Properties, encode_properties
from libs.amqp.reader import FrameReader
from tests.unit.libs.amqp import wire_book

Event = tuple[object, ...]


@dataclass
class Recorder:
    """A channel that writes down what it is told."""

    events: list[Event] = field(default_factory=list)

    def on_delivery(
        self, data: bytes, start: int, stop: int, flags: int, fields: bytes, body: bytes, /
    ) -> None:
        self.events.append(("delivery", data[start:stop], flags, fields, body))

    def on_return(
        self, data: bytes, start: int, stop: int, flags: int, fields: bytes, body: bytes, /
    ) -> None:
        self.events.append(("return", data[start:stop], flags, fields, body))

    def on_ack(self, tag: int, bits: int, /) -> None:
        self.events.append(("ack", tag, bits))

    def on_nack(self, tag: int, bits: int, /) -> None:
        self.events.append(("nack", tag, bits))

    def on_method(self, payload: bytes, /) -> None:
        self.events.append(("method", payload))


@dataclass
class Script:
    """Bytes, and what a reader must make of them."""

    data: bytes
    event: Event | None
    channel: int = 1


@st.composite
def _messages(draw: st.DrawFn) -> Script:
    channel = draw(st.integers(1, 2))
    payload = draw(st.binary(max_size=50))
    properties = draw(st.sampled_from([Properties(), Properties(type="t"), Properties(headers={"a": 1})]))
    largest = draw(st.sampled_from([5, 131_064]))
    returned = draw(st.booleans())
    if returned:
        command = wire_book.method(channel, commands.Basic.Return(312, "NO_ROUTE", "x", "k"))
    else:
        command = wire_book.method(
            channel, commands.Basic.Deliver("c", draw(st.integers(1, 2**60)), False, "x", "k")
        )
    data = command + wire_book.content(channel, properties, payload, largest)
    kind = "return" if returned else "delivery"
    event = (kind, command[11:-1], *encode_properties(properties), payload)
    return Script(data, event, channel)


@st.composite
def _confirms(draw: st.DrawFn) -> Script:
    tag, multiple = draw(st.integers(1, 2**60)), draw(st.booleans())
    if draw(st.booleans()):
        return Script(wire_book.method(1, commands.Basic.Ack(tag, multiple)), ("ack", tag, int(multiple)))
    return Script(
        wire_book.method(1, commands.Basic.Nack(tag, multiple, False)), ("nack", tag, int(multiple))
    )


_answer = wire_book.method(1, commands.Queue.DeclareOk("q", 1, 2))
_scripts = st.one_of(
    _messages(),
    _confirms(),
    st.just(Script(_answer, ("method", _answer[7:-1]))),
    st.just(Script(HEARTBEAT_FRAME, None)),
)


@given(st.lists(_scripts, max_size=8), st.data())
def test_every_split_of_the_stream_gives_the_same_events(scripts: list[Script], data: st.DataObject) -> None:
    stream = b"".join(script.data for script in scripts)
    channels = {0: Recorder(), 1: Recorder(), 2: Recorder()}
    reader = FrameReader(channels, 131_072)

    while stream:
        size = data.draw(st.integers(1, len(stream)), "piece")
        reader.feed(stream[:size])
        stream = stream[size:]

    for number in (1, 2):
        expected = [
            script.event for script in scripts if script.channel == number and script.event is not None
        ]
        assert channels[number].events == expected


def test_single_bytes_are_enough() -> None:
    recorder = Recorder()
    reader = FrameReader({1: recorder}, 131_072)

    for byte in wire_book.deliver(1, 7, b"x" * 1000, largest=300):
        reader.feed(bytes((byte,)))

    ((kind, *_, body),) = recorder.events
    assert (kind, body) == ("delivery", b"x" * 1000)


def test_messages_of_two_channels_may_interleave() -> None:
    channels = {1: Recorder(), 2: Recorder()}
    reader = FrameReader(channels, 131_072)
    one = wire_book.deliver(1, 1, b"one")
    two = wire_book.deliver(2, 1, b"two")
    cut = one.index(b"\xce") + 1

    reader.feed(one[:cut] + two + one[cut:])

    assert [events.events[0][-1] for events in channels.values()] == [b"one", b"two"]


def _feed(reader: FrameReader, data: bytes) -> int | None:
    """The reply code of the refusal, if there is one."""
    try:
        reader.feed(data)
    except ProtocolError as error:
        return error.code
    return None


@given(st.binary(max_size=300))
def test_garbage_is_refused_by_one_error(raw: bytes) -> None:
    reader = FrameReader({0: Recorder(), 1: Recorder()}, 131_072)

    assert _feed(reader, raw) in {None, 501, 502, 504, 505}


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_flipped_byte_never_raises_anything_else(position: int, value: int) -> None:
    stream = bytearray(
        wire_book.deliver(1, 1, b"body") + wire_book.method(1, commands.Basic.Ack(1)) + _answer
    )
    stream[position % len(stream)] = value
    reader = FrameReader({1: Recorder()}, 131_072)

    assert _feed(reader, bytes(stream)) in {None, 501, 502, 504, 505}


def _frame(kind: int, channel: int, payload: bytes, end: int = 0xCE) -> bytes:
    return (
        bytes((kind,))
        + channel.to_bytes(2, "big")
        + len(payload).to_bytes(4, "big")
        + payload
        + bytes((end,))
    )


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (_frame(1, 1, DELIVER, end=0xCD), 501),
        (b"\x01\x00\x01\x00\x10\x00\x00partial", 501),
        (_frame(1, 1, b"\x00\x3c\x00\x50\x01"), 502),
        (_frame(1, 3, DELIVER), 504),
        (_frame(2, 1, b"\x00" * 14), 505),
        (_frame(3, 1, b"body"), 505),
        (_frame(9, 1, b""), 505),
        (_frame(8, 1, b""), 505),
        (_frame(1, 1, DELIVER) + _frame(1, 1, DELIVER), 505),
        (_frame(1, 1, DELIVER) + _frame(2, 1, b"short"), 505),
        (_frame(1, 1, DELIVER) + _frame(2, 1, b"\x00" * 11 + b"\x01\x00\x00") + _frame(3, 1, b"xy"), 505),
    ],
)
def test_a_broken_rule_has_its_reply_code(stream: bytes, code: int) -> None:
    reader = FrameReader({1: Recorder()}, 131_072)

    with pytest.raises(ProtocolError) as refusal:
        reader.feed(stream)

    assert refusal.value.code == code
