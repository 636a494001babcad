"""WebSocket frames, byte by byte (RFC 6455)."""

import os
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from libs.realtime.websocket import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, Received, close_frame, frame

LIMIT = 65_536


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame, as the `websockets` library writes it."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True)


def received(*chunks: bytes, limit: int = LIMIT) -> list[Received]:
    reader = FrameReader(limit)
    found: list[Received] = []
    for chunk in chunks:
        found += reader.feed(chunk)
        if found and found[-1].opcode == CLOSE:
            break
    return found


def closed_with(*chunks: bytes, limit: int = LIMIT) -> int:
    last = received(*chunks, limit=limit)[-1]
    assert last.opcode == CLOSE
    return int.from_bytes(last.payload[2:4], "big")


class TestMessages:
    @given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.text(max_size=200)), max_size=5), st.data())
    def test_come_whole_however_the_bytes_are_split(
        self, messages: Sequence[tuple[int, str]], data: st.DataObject
    ) -> None:
        stream = b"".join(masked(opcode, text.encode()) for opcode, text in messages)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
        chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

        assert received(*chunks) == [Received(opcode, text.encode()) for opcode, text in messages]

    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.booleans())
    def test_are_joined_from_fragments_with_pings_between(self, parts: list[bytes], pinged: bool) -> None:
        stream = masked(BINARY, parts[0], fin=len(parts) == 1)
        for number, part in enumerate(parts[1:], 2):
            stream += masked(PING, b"?") if pinged else b""
            stream += masked(0, part, fin=number == len(parts))

        found = received(stream)

        assert [one.payload for one in found if one.opcode == BINARY] == [b"".join(parts)]
        assert [one for one in found if one.opcode == PONG] == [Received(PONG, frame(PONG, b"?"))] * (
            (len(parts) - 1) * pinged
        )

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
    def test_of_every_size_are_read(self, size: int) -> None:
        payload = os.urandom(size)

        assert received(masked(BINARY, payload)) == [Received(BINARY, payload)]

    def test_after_fragments_are_read_by_hand_again(self) -> None:
        reader = FrameReader(LIMIT)

        list(reader.feed(masked(TEXT, b"a", fin=False) + masked(0, b"b")))

        assert reader._rare is None


class TestControl:
    def test_a_ping_is_answered_with_its_payload(self) -> None:
        assert received(masked(PING, b"here?")) == [Received(PONG, frame(PONG, b"here?"))]

    def test_a_pong_says_nothing(self) -> None:
        assert received(masked(PONG, b"unasked")) == []

    def test_a_close_is_echoed(self) -> None:
        found = received(masked(CLOSE, (1000).to_bytes(2, "big") + b"bye"))

        assert found == [Received(CLOSE, close_frame(1000, "bye"))]

    def test_a_close_without_a_code_is_answered(self) -> None:
        assert received(masked(CLOSE)) == [Received(CLOSE, frame(CLOSE, b""))]


class TestRules:
    def test_a_client_must_mask_5_1(self) -> None:
        assert closed_with(frame(TEXT, b"{}")) == 1002

    def test_an_unmasked_frame_is_refused_by_its_header(self) -> None:
        assert closed_with(frame(TEXT, b"")) == 1002

    def test_no_extension_was_agreed_on_5_2(self) -> None:
        assert closed_with(b"\xc1\x82" + bytes(4) + b"{}") == 1002

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    def test_reserved_opcodes_are_refused_5_2(self, opcode: int) -> None:
        assert closed_with(bytes([0x80 | opcode, 0x80, 0, 0, 0, 0])) == 1002

    @pytest.mark.parametrize("head", [b"\x81\xfe\x00\x05", b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05"])
    def test_lengths_are_minimal_5_2(self, head: bytes) -> None:
        assert closed_with(head + bytes(4) + b"hello") == 1002

    def test_control_frames_are_not_fragmented_5_4(self) -> None:
        assert closed_with(b"\x09\x81" + bytes(4) + b"?") == 1002

    def test_control_frames_are_short_5_5(self) -> None:
        assert closed_with(b"\x89\xfe\x00\x7e" + bytes(4) + bytes(126)) == 1002

    def test_a_continuation_continues_something_5_4(self) -> None:
        assert closed_with(masked(0, b"?")) == 1002

    def test_fragments_are_not_interleaved_5_4(self) -> None:
        assert closed_with(masked(TEXT, b"a", fin=False), masked(TEXT, b"b")) == 1002

    def test_text_is_utf_8_8_1(self) -> None:
        assert closed_with(masked(TEXT, b"\xff")) == 1007

    def test_text_in_fragments_is_utf_8_as_a_whole_8_1(self) -> None:
        whole = "\u20ac".encode()

        assert received(masked(TEXT, whole[:1], fin=False), masked(0, whole[1:])) == [Received(TEXT, whole)]
        assert closed_with(masked(TEXT, whole[:1], fin=False), masked(0, b"x")) == 1007

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
    def test_close_codes_that_nobody_may_send_are_refused_7_4(self, code: int) -> None:
        assert closed_with(masked(CLOSE, code.to_bytes(2, "big"))) == 1002

    def test_a_close_has_a_whole_code_7_1_5(self) -> None:
        assert closed_with(masked(CLOSE, b"\x03")) == 1002

    def test_a_close_reason_is_utf_8_7_1_6(self) -> None:
        assert closed_with(masked(CLOSE, b"\x03\xe8\xff")) == 1007

    def test_a_message_too_large_is_refused_by_its_header(self) -> None:
        assert closed_with(masked(TEXT, bytes(1025))[:8], limit=1024) == 1009

    def test_a_message_too_large_in_fragments_is_refused(self) -> None:
        parts: Iterable[bytes] = (masked(TEXT, bytes(600), fin=False), masked(0, bytes(600)))

        assert closed_with(*parts, limit=1024) == 1009

    @given(st.binary(max_size=200))
    def test_no_bytes_break_the_reader(self, data: bytes) -> None:
        for one in received(data):
            assert one.opcode in {TEXT, BINARY, PONG, CLOSE}


class TestFrames:
    @pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
    def test_are_those_of_the_reference(self, size: int) -> None:
        payload = bytes(size)

        assert frame(TEXT, payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)

    def test_a_close_carries_code_and_reason(self) -> None:
        assert close_frame(3500, "invalid token") == b"\x88\x0f\x0d\xacinvalid token"
