import struct
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode as pamqp_decode
from pamqp import encode as pamqp_encode

from libs.amqp import MalformedMessage, decode_table, encode_table
from tests.unit.libs.amqp.strategies import tables


@given(tables)
def test_a_table_survives_the_round_trip(table: dict[str, Any]) -> None:
    assert decode_table(encode_table(table)) == table


def _as_pamqp_reads(value: Any) -> Any:
    """pamqp tells byte arrays as bytearray; the rest is the same."""
    match value:
        case bytes():
            return bytearray(value)
        case list():
            return [_as_pamqp_reads(each) for each in value]
        case dict():
            return {key: _as_pamqp_reads(each) for key, each in value.items()}
        case _:
            return value


@given(tables)
def test_pamqp_reads_what_is_written(table: dict[str, Any]) -> None:
    raw = encode_table(table)

    size, read = pamqp_decode.field_table(raw)

    assert size == len(raw)
    assert read == _as_pamqp_reads(table)


_pamqp_writes = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=32, allow_nan=False)
    | st.text(max_size=30)
    | st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=20), _pamqp_writes, max_size=5))
def test_what_pamqp_writes_is_read(table: dict[str, Any]) -> None:
    assert decode_table(pamqp_encode.field_table(table)) == table


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"t\x01", True),
        (b"t\x00", False),
        (b"b\xff", -1),
        (b"B\xff", 255),
        (b"s\xff\xfe", -2),
        (b"u\xff\xfe", 65534),
        (b"I\xff\xff\xff\xfd", -3),
        (b"i\xff\xff\xff\xfd", 4294967293),
        (b"l" + b"\xff" * 8, -1),
        (b"L" + b"\x00" * 7 + b"\x01", 1),
        (b"f" + struct.pack(">f", 1.5), 1.5),
        (b"d" + struct.pack(">d", 0.1), 0.1),
        (b"D\x02" + struct.pack(">i", -314), Decimal("-3.14")),
        (b"S\x00\x00\x00\x02hi", "hi"),
        (b"S\x00\x00\x00\x02\xff\xfe", b"\xff\xfe"),
        (b"x\x00\x00\x00\x02hi", b"hi"),
        (b"A\x00\x00\x00\x03t\x01V", [True, None]),
        (b"T" + struct.pack(">q", 0), datetime(1970, 1, 1, tzinfo=UTC)),
        (b"F\x00\x00\x00\x03\x01kV", {"k": None}),
        (b"V", None),
    ],
)
def test_every_field_type_is_read(encoded: bytes, value: object) -> None:
    pair = b"\x01k" + encoded

    assert decode_table(struct.pack(">I", len(pair)) + pair) == {"k": value}


@given(st.binary(max_size=200))
def test_garbage_is_refused_by_one_error(raw: bytes) -> None:
    try:
        decode_table(raw)
    except MalformedMessage:
        return
    assert decode_table(raw) is not None


def test_nesting_without_end_is_refused() -> None:
    raw = b"V"
    for _ in range(1000):
        raw = b"A" + struct.pack(">I", len(raw)) + raw
    pair = b"\x01k" + raw

    with pytest.raises(MalformedMessage, match="nested"):
        decode_table(struct.pack(">I", len(pair)) + pair)


@pytest.mark.parametrize(
    "value",
    [2**63, Decimal("NaN"), Decimal("1e100000000"), Decimal(2**31), Decimal("1e-300"), object(), {1}],
)
def test_what_has_no_field_type_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="field table"):
        encode_table({"k": value})


def test_a_field_name_has_at_most_255_bytes() -> None:
    assert decode_table(encode_table({"n" * 255: 1})) == {"n" * 255: 1}
    with pytest.raises(ValueError, match="255"):
        encode_table({"n" * 256: 1})


def test_a_time_without_a_zone_is_taken_as_utc() -> None:
    naive = datetime(2026, 1, 2, 3, 4, 5)  # ruff: ignore[call-datetime-without-tzinfo] - the case itself

    assert decode_table(encode_table({"k": naive})) == {"k": naive.replace(tzinfo=UTC)}


def test_a_subclass_is_encoded_as_its_base() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert decode_table(encode_table({"k": Colour.RED, "n": HTTPStatus.OK})) == {"k": "red", "n": 200}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (encode_table({}) + b"x", "stray"),
        (b"\x00\x00\x00\x07\x01kS\x00\x00\x00\x09", "longer than its table"),
        (b"\x00\x00\x00\x05\x01kI\x00\x00\x00\x09", "over the end"),
        (b"\x00\x00\x00\x0b\x01kT" + b"\x7f" * 8, "out of range"),
    ],
)
def test_a_malformed_table_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        decode_table(raw)
