"""Frames, fragments and text, byte by byte against a running gateway; each test names its section of RFC 6455."""

import asyncio

import pytest

from tests.e2e.rfc6455.frames import (
    BINARY,
    CLOSE,
    CONT,
    LARGEST,
    PING,
    PONG,
    TEXT,
    ZERO_MASK,
    command,
    head,
    in_fragments,
    is_connected,
)
from tests.fixtures.raw_socket import raw

pytestmark = pytest.mark.asyncio(loop_scope="package")


class TestFraming:
    @pytest.mark.parametrize("frame", [b"\x81\x02{}", b"\x81\x00", b"\x89\x00", b"\x88\x02\x03\xe8"])
    async def test_a_client_masks_5_1(self, url: str, frame: bytes) -> None:
        async with raw(url) as client:
            client.write(frame)

            assert await client.close_code() == 1002

    @pytest.mark.parametrize("bits", [0x40, 0x20, 0x10, 0x70])
    @pytest.mark.parametrize("opcode", [TEXT, PING])
    async def test_reserved_bits_are_zero_5_2(self, url: str, bits: int, opcode: int) -> None:
        async with raw(url) as client:
            client.write(head(0x80 | bits | opcode, b"\x80"))

            assert await client.close_code() == 1002

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    async def test_reserved_opcodes_are_refused_5_2(self, url: str, opcode: int) -> None:
        async with raw(url) as client:
            client.write(head(0x80 | opcode, b"\x80"))

            assert await client.close_code() == 1002

    @pytest.mark.parametrize(
        "length",
        [
            b"\xfe\x00\x05",
            b"\xfe\x00\x7d",
            b"\xff\x00\x00\x00\x00\x00\x00\x00\x05",
            b"\xff\x00\x00\x00\x00\x00\x00\xff\xff",
        ],
    )
    async def test_lengths_are_minimal_5_2(self, url: str, length: bytes) -> None:
        async with raw(url) as client:
            client.write(head(0x81, length))

            assert await client.close_code() == 1002

    async def test_the_highest_bit_of_a_length_is_zero_5_2(self, url: str) -> None:
        async with raw(url) as client:
            client.write(head(0x81, b"\xff\x80" + bytes(7)))

            assert await client.close_code() in {1002, 1009}

    @pytest.mark.parametrize("size", [125, 126, 127, 65_535, LARGEST])
    async def test_each_form_of_length_is_read_5_2(self, url: str, size: int) -> None:
        async with raw(url) as client:
            client.send(TEXT, command(max(size, len(command()))) if size > 125 else command())

            assert await is_connected(client)

    @pytest.mark.parametrize(
        "mask", [ZERO_MASK, b"\x00\x00\x00\x01", b"\xff\xff\xff\xff", b"\x12\x34\x56\x78"]
    )
    async def test_any_mask_is_taken_off_5_3(self, url: str, mask: bytes) -> None:
        payload = command(300)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        async with raw(url) as client:
            client.write(b"\x81\xfe" + len(payload).to_bytes(2, "big") + mask + masked)

            assert await is_connected(client)

    async def test_frames_may_come_byte_by_byte_5_2(self, url: str) -> None:
        async with raw(url) as client:
            whole = head(0x81, b"\xfe" + len(command(200)).to_bytes(2, "big")) + command(200)
            for place in range(len(whole)):
                client.write(whole[place : place + 1])
                await asyncio.sleep(0)

            assert await is_connected(client)

    async def test_several_frames_may_come_at_once_5_2(self, url: str) -> None:
        async with raw(url) as client:
            client.write(head(0x89, b"\x81") + b"1" + head(0x89, b"\x81") + b"2" + head(0x8A, b"\x80"))
            client.send(TEXT, command())

            assert [await client.frame(), await client.frame()] == [(PONG, b"1"), (PONG, b"2")]
            assert await is_connected(client)

    async def test_a_message_too_large_is_refused_by_its_head_7_4_1(self, url: str) -> None:
        async with raw(url) as client:
            client.write(head(0x81, b"\xff" + (LARGEST + 1).to_bytes(8, "big")))

            assert await client.close_code() == 1009

    async def test_fragments_that_grow_too_large_are_refused_7_4_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(BINARY, bytes(LARGEST), fin=False)
            client.send(CONT, b"1")

            assert await client.close_code() == 1009

    async def test_who_goes_on_sending_too_much_is_told_all_the_same_7_1_7(self, url: str) -> None:
        async with raw(url) as client:
            client.send(TEXT, bytes(8_000_000))
            await client.writer.drain()

            assert await client.close_code() == 1009


class TestFragments:
    @pytest.mark.parametrize("size", [1, 7, 1000])
    async def test_are_joined_5_4(self, url: str, size: int) -> None:
        whole = command(1500)
        async with raw(url) as client:
            for place in range(0, len(whole), size):
                part = whole[place : place + size]
                client.send(CONT if place else TEXT, part, fin=place + size >= len(whole))

            assert await is_connected(client)

    async def test_may_be_empty_5_4(self, url: str) -> None:
        async with raw(url) as client:
            client.send(TEXT, b"", fin=False)
            client.send(CONT, b"", fin=False)
            client.send(CONT, command(), fin=False)
            client.send(CONT, b"")

            assert await is_connected(client)

    async def test_may_have_control_frames_between_5_4(self, url: str) -> None:
        async with in_fragments(url) as client:
            client.send(PING, b"?")
            client.send(PONG, b"unasked")
            assert await client.frame() == (PONG, b"?")
            client.send(CONT, command()[20:])

            assert await is_connected(client)

    async def test_may_be_given_up_by_a_close_5_4(self, url: str) -> None:
        async with in_fragments(url) as client:
            client.send(CLOSE, b"\x03\xe8")

            assert await client.frame() == (CLOSE, b"\x03\xe8")

    @pytest.mark.parametrize("fin", [True, False])
    async def test_continue_something_5_4(self, url: str, fin: bool) -> None:
        async with raw(url) as client:
            client.send(CONT, b"{}", fin=fin)

            assert await client.close_code() == 1002

    async def test_continue_nothing_behind_the_last_5_4(self, url: str) -> None:
        async with in_fragments(url) as client:
            client.send(CONT, command()[20:])
            client.send(CONT, b"more")

            assert await client.close_code() == 1002

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize("fin", [True, False])
    async def test_of_two_messages_are_not_mixed_5_4(self, url: str, opcode: int, fin: bool) -> None:
        async with in_fragments(url) as client:
            client.send(opcode, b"{}", fin=fin)

            assert await client.close_code() == 1002


class TestText:
    @pytest.mark.parametrize(
        "bad",
        [
            b"\xff",
            b"\x80",
            b"\xc0\xaf",  # longer than it must be
            b"\xed\xa0\x80",  # half of a pair of UTF-16
            b"\xf4\x90\x80\x80",  # beyond U+10FFFF
            b"\xe2\x82",  # ends too early
        ],
    )
    async def test_is_utf_8_8_1(self, url: str, bad: bytes) -> None:
        async with raw(url) as client:
            client.send(TEXT, b'{"id":"' + bad)

            assert await client.close_code() == 1007

    async def test_may_be_split_inside_a_character_8_1(self, url: str) -> None:
        whole = command()
        middle = whole.index("\u20ac".encode()) + 1
        async with raw(url) as client:
            client.send(TEXT, whole[:middle], fin=False)
            client.send(CONT, whole[middle : middle + 1], fin=False)
            client.send(CONT, whole[middle + 1 :])

            assert await is_connected(client)

    async def test_that_can_no_longer_become_utf_8_is_refused_before_its_end_8_1(self, url: str) -> None:
        async with in_fragments(url) as client:
            client.send(CONT, b"\xff", fin=False)

            assert await client.close_code() == 1007

    async def test_whose_character_goes_on_wrongly_is_refused_before_its_end_8_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(TEXT, b"\xe2\x82", fin=False)
            client.send(CONT, b"x", fin=False)

            assert await client.close_code() == 1007

    async def test_ends_with_a_whole_character_8_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(TEXT, b"{", fin=False)
            client.send(CONT, b"\xe2\x82")

            assert await client.close_code() == 1007

    async def test_is_a_rule_for_text_alone_5_6(self, url: str) -> None:
        async with raw(url, Sec_WebSocket_Protocol="centrifuge-protobuf") as client:
            client.send(BINARY, b"\xff")

            assert await client.close_code() == 3501  # not the protocol, and no fault of the frame
