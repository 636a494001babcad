import pytest

from libs.realtime.formats import EVENT_STREAM, JSON_LINES, PROTOBUF_STREAM, StreamFormat


@pytest.mark.parametrize(
    ("line_format", "ping", "two"),
    [
        (JSON_LINES, b"{}\n", b"1\n2\n"),
        (EVENT_STREAM, b"data: {}\n\n", b"data: 1\n\ndata: 2\n\n"),
        (PROTOBUF_STREAM, b"\x00", b"12"),
    ],
)
def test_each_message_of_a_stream_ends_by_itself(line_format: StreamFormat, ping: bytes, two: bytes) -> None:
    one, other = line_format.frames([b"1"]), line_format.frames([b"2"])

    assert line_format.ping == ping
    assert line_format.frames([b"1", b"2"]) == line_format.join([one, other]) == two
