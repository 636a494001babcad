"""Control frames and the closing handshake, byte by byte against a running gateway; each test names its section of RFC 6455."""

import pytest

from tests.e2e.rfc6455.frames import CLOSE, PING, PONG, TEXT, command, head, is_connected
from tests.fixtures.raw_socket import raw

pytestmark = pytest.mark.asyncio(loop_scope="package")


class TestControlFrames:
    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    async def test_are_not_fragmented_5_5(self, url: str, opcode: int) -> None:
        async with raw(url) as client:
            client.write(head(opcode, b"\x80"))

            assert await client.close_code() == 1002

    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    async def test_have_125_bytes_at_most_5_5(self, url: str, opcode: int) -> None:
        async with raw(url) as client:
            client.write(head(0x80 | opcode, b"\xfe\x00\x7e") + bytes(126))

            assert await client.close_code() == 1002

    @pytest.mark.parametrize("payload", [b"", b"?", bytes(range(125))])
    async def test_a_ping_is_answered_with_its_payload_5_5_2(self, url: str, payload: bytes) -> None:
        async with raw(url) as client:
            client.send(PING, payload)

            assert await client.frame() == (PONG, payload)

    async def test_pings_are_answered_in_their_order_5_5_3(self, url: str) -> None:
        async with raw(url) as client:
            for number in range(10):
                client.send(PING, b"%d" % number)

            assert [await client.frame() for _ in range(10)] == [
                (PONG, b"%d" % number) for number in range(10)
            ]

    async def test_a_pong_that_nobody_asked_for_is_let_pass_5_5_3(self, url: str) -> None:
        async with raw(url) as client:
            client.send(PONG, b"here")
            client.send(TEXT, command())

            assert await is_connected(client)


class TestClosing:
    @pytest.mark.parametrize(
        "payload",
        [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xe8" + b"x" * 123, b"\x03\xe8" + "\u20ac".encode()],
    )
    async def test_is_answered_in_kind_and_ends_the_line_5_5_1(self, url: str, payload: bytes) -> None:
        async with raw(url) as client:
            client.send(CLOSE, payload)

            assert await client.frame() == (CLOSE, payload)
            assert await client.rest() == b""

    @pytest.mark.parametrize(
        "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
    )
    async def test_with_a_code_that_may_be_sent_is_answered_7_4(self, url: str, code: int) -> None:
        async with raw(url) as client:
            client.send(CLOSE, code.to_bytes(2, "big"))

            assert (await client.frame())[1][:2] == code.to_bytes(2, "big")

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    async def test_with_a_code_that_nobody_may_send_is_an_error_7_4(self, url: str, code: int) -> None:
        async with raw(url) as client:
            client.send(CLOSE, code.to_bytes(2, "big"))

            assert await client.close_code() == 1002

    async def test_has_a_code_of_two_bytes_or_none_5_5_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(CLOSE, b"\x03")

            assert await client.close_code() == 1002

    async def test_has_a_reason_in_utf_8_5_5_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(CLOSE, b"\x03\xe8\xff")

            assert await client.close_code() == 1007

    async def test_is_the_last_that_is_listened_to_5_5_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(CLOSE, b"\x03\xe8")
            client.send(PING, b"still there?")
            client.send(TEXT, command())

            assert await client.frame() == (CLOSE, b"\x03\xe8")
            assert await client.rest() == b""

    async def test_by_the_server_has_a_code_and_ends_with_the_answer_7_1_2(self, url: str) -> None:
        async with raw(url) as client:
            client.send(TEXT, b"no command")
            assert await client.close_code() == 3501
            client.send(CLOSE, (3501).to_bytes(2, "big"))

            assert await client.rest() == b""

    async def test_by_the_server_is_its_last_word_5_5_1(self, url: str) -> None:
        async with raw(url) as client:
            client.send(TEXT, b"no command")
            client.send(PING, b"?")
            client.send(TEXT, command())
            client.send(CLOSE, b"")

            assert await client.close_code() == 3501
            assert await client.rest() == b""

    async def test_after_a_broken_rule_says_nothing_more_7_1_7(self, url: str) -> None:
        async with raw(url) as client:
            client.write(head(0x83, b"\x80"))
            client.send(PING, b"?")

            assert await client.close_code() == 1002
            assert await client.rest() == b""
