import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, header
from pamqp import decode as pamqp_decode

from libs.amqp import MalformedMessage, Properties, encode_table
from libs.amqp.properties import (
    MAX_EXPIRATION,
    decode_headers,
    decode_properties,
    encode_properties,
    encode_short,
    flag,
    read_short,
)
from tests.unit.libs.amqp.strategies import properties as any_properties


@given(any_properties)
def test_properties_survive_the_round_trip(properties: Properties) -> None:
    read = decode_properties(*encode_properties(properties))

    assert read._replace(headers=None) == properties._replace(headers=None)
    assert decode_headers(read) == (properties.headers or {})
    assert (read.headers is None) == (properties.headers is None)


@given(any_properties)
def test_pamqp_reads_what_is_written(properties: Properties) -> None:
    flags, fields = encode_properties(properties._replace(headers=None))
    frame = header.ContentHeader()

    frame.unmarshal(struct.pack(">HHQH", 60, 0, 0, flags) + fields)

    read = frame.properties
    assert isinstance(read, commands.Basic.Properties)
    for name in Properties._fields:
        value, theirs = getattr(properties, name), getattr(read, _THEIRS.get(name, name))
        match name:
            case "headers":
                continue
            case "expiration":
                assert theirs == (None if value is None else str(value))
            case "timestamp":
                assert (None if theirs is None else int(theirs.timestamp())) == value
            case _:
                assert theirs == value


_THEIRS = {"type": "message_type"}


@given(st.text(max_size=20), st.integers(0, 255), st.text(max_size=20), st.text(max_size=20))
def test_what_pamqp_writes_is_read(content_type: str, priority: int, message_id: str, app_id: str) -> None:
    theirs = commands.Basic.Properties(
        content_type=content_type, priority=priority, message_id=message_id, app_id=app_id, headers={"a": 1}
    )
    (flags,) = struct.unpack_from(">H", theirs.marshal())

    read = decode_properties(flags, theirs.marshal()[2:])

    assert (read.content_type or "", read.priority) == (content_type, priority)
    assert (read.message_id or "", read.app_id or "") == (message_id, app_id)
    assert decode_headers(read) == {"a": 1}


@given(st.integers(0, 2**16 - 1), st.binary(max_size=100))
def test_garbage_is_refused_by_one_error(flags: int, fields: bytes) -> None:
    try:
        read = decode_properties(flags, fields)
    except MalformedMessage:
        return
    assert isinstance(read, Properties)


@given(
    any_properties,
    st.sampled_from(["content_type", "correlation_id", "reply_to", "message_id", "type", "app_id"]),
)
def test_one_property_is_read_as_all_are(properties: Properties, name: str) -> None:
    flags, fields = encode_properties(properties)

    found = read_short(flags, fields, Properties._fields.index(name))

    assert found == getattr(decode_properties(flags, fields), name)


@given(st.integers(0, 2**16 - 1), st.binary(max_size=100))
def test_garbage_is_refused_by_one_error_for_one_property_too(flags: int, fields: bytes) -> None:
    try:
        read = read_short(flags, fields, Properties._fields.index("type"))
    except MalformedMessage:
        return
    assert read is None or isinstance(read, str)


def test_cluster_id_is_read_over() -> None:
    flags, fields = encode_properties(Properties(app_id="app"))

    assert decode_properties(flags | 1 << 2, fields + encode_short("cluster")) == Properties(app_id="app")


def test_headers_that_are_encoded_already_stay_as_they_are() -> None:
    table = encode_table({"a": 1})

    assert encode_properties(Properties(headers=table)) == (flag("headers"), table)


def test_a_short_string_has_at_most_255_bytes() -> None:
    assert encode_short("x" * 255) == b"\xff" + b"x" * 255
    with pytest.raises(ValueError, match="255"):
        encode_short("é" * 128)


@pytest.mark.parametrize("expiration", [-1, MAX_EXPIRATION + 1])
def test_an_expiration_that_would_close_the_channel_is_refused_here(expiration: int) -> None:
    with pytest.raises(ValueError, match="expiration"):
        encode_properties(Properties(expiration=expiration))


def test_text_that_is_not_utf8_comes_back_as_it_was() -> None:
    fields = b"\x02\xff\xfe"

    read = decode_properties(flag("correlation_id"), fields)

    assert encode_properties(read) == (flag("correlation_id"), fields)


def test_the_second_opinion_agrees_on_headers() -> None:
    _, fields = encode_properties(Properties(headers={"a": [1, "b"], "c": {"d": True}}))

    assert pamqp_decode.field_table(fields)[1] == {"a": [1, "b"], "c": {"d": True}}
