import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.base import Frame

from libs.amqp import ProtocolError
from libs.amqp.methods import decode_method, encode_method
from tests.unit.libs.amqp.wire_book import sent

_BOOK = [
    commands.Basic.Cancel(consumer_tag="c"),
    commands.Basic.Consume(
        queue="q", consumer_tag="c", no_ack=True, exclusive=True, arguments={"x-priority": 5}
    ),
    commands.Basic.Qos(prefetch_count=300),
    commands.Channel.Close(404, "NOT_FOUND", 50, 10),
    commands.Channel.Open(),
    commands.Confirm.Select(),
    commands.Connection.Close(320, "CONNECTION_FORCED", 0, 0),
    commands.Connection.StartOk({"product": "x"}, "PLAIN", "\0a\0b", "en_US"),
    commands.Connection.TuneOk(2047, 131072, 60),
    commands.Exchange.Bind(destination="d", source="s", routing_key="k", arguments={"a": 1}),
    commands.Exchange.Declare(exchange="x", exchange_type="topic", durable=True, internal=True),
    commands.Queue.Bind(queue="q", exchange="x", routing_key="#", arguments={"x-match": "all"}),
    commands.Queue.Declare(queue="q", durable=True, auto_delete=True, arguments={"x-max-length": 100000}),
    commands.Queue.Delete(queue="q", if_unused=True),
]


def _arguments(command: Frame) -> dict[str, object]:
    return {name: getattr(command, name) for name in command.attributes()}


@pytest.mark.parametrize("command", _BOOK, ids=lambda command: command.name)
def test_pamqp_reads_what_is_written(command: Frame) -> None:
    data = encode_method(7, type(command), **_arguments(command))

    ((channel, read),) = sent(data)

    assert channel == 7
    assert type(read) is type(command)
    assert isinstance(read, Frame)
    assert _arguments(read) == _arguments(command)


@pytest.mark.parametrize("command", _BOOK, ids=lambda command: command.name)
def test_what_pamqp_writes_is_read(command: Frame) -> None:
    read = decode_method(frame.marshal(command, 1)[7:-1])

    assert type(read) is type(command)
    assert _arguments(read) == _arguments(command)


def test_a_missing_argument_is_zero() -> None:
    ((_, read),) = sent(encode_method(1, commands.Queue.Declare, queue="q"))

    assert isinstance(read, commands.Queue.Declare)
    assert _arguments(read) == _arguments(commands.Queue.Declare(queue="q"))


def test_an_argument_that_the_method_lacks_is_refused() -> None:
    with pytest.raises(TypeError, match="quue"):
        encode_method(1, commands.Queue.Declare, quue="q")


def test_names_of_255_bytes_pass() -> None:
    name = "é" * 127 + "x"

    read = decode_method(encode_method(1, commands.Exchange.Declare, exchange=name)[7:-1])

    assert isinstance(read, commands.Exchange.Declare)
    assert read.exchange == name


def test_a_double_in_arguments_keeps_its_precision() -> None:
    data = encode_method(1, commands.Queue.Bind, arguments={"ratio": 0.1})

    read = decode_method(data[7:-1])

    assert isinstance(read, commands.Queue.Bind)
    assert read.arguments == {"ratio": 0.1}


def test_a_method_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"60\.199"):
        decode_method(b"\x00\x3c\x00\xc7")


def _read(raw: bytes) -> bool | int:
    """Whether it can be read, or the reply code of the refusal."""
    try:
        return isinstance(decode_method(raw), Frame)
    except ProtocolError as error:
        return error.code


@given(st.binary(max_size=60))
def test_garbage_is_refused_by_one_error(raw: bytes) -> None:
    assert _read(raw) in {True, 502, 540}


@given(st.sampled_from(_BOOK), st.data())
def test_a_cut_method_is_refused_by_one_error(command: Frame, data: st.DataObject) -> None:
    raw = frame.marshal(command, 1)[7:-1]
    cut = data.draw(st.integers(0, len(raw)))

    assert _read(raw[:cut]) in {True, 502, 540}
