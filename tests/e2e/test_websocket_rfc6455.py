"""Every rule of RFC 6455 that a server must keep, byte by byte against a running gateway; each names its section."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from websockets.frames import Opcode
from websockets.utils import accept_key

from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, gateway_process, running, url_of
from tests.fixtures.raw_socket import Raw, dialled, raw
from tests.fixtures.services import SessionServices
from tests.fixtures.signed import SECRET, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT, BINARY, CONT = Opcode.TEXT, Opcode.BINARY, Opcode.CONT
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG
LARGEST = 65_536  # bytes of a message that the gateway reads
ZERO_MASK = bytes(4)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(
    services: SessionServices, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Where a gateway process takes sockets."""
    folder, vhost, postgres = tmp_path_factory.mktemp("rfc6455"), services.new_vhost(), services.postgres
    postgres.create_database("rfc6455", template=migrated_template)
    database = MigratedDatabase("rfc6455", postgres.database_url("rfc6455"), "")
    auth = auth_process(services, vhost, database, folder)
    gateway = gateway_process(services, vhost, folder, GATEWAY_REALTIME_TOKEN_SECRET=SECRET)
    async with running(auth, gateway):
        yield url_of(gateway)
    postgres.drop_database("rfc6455")


def command(size: int = 0) -> bytes:
    """A connect, padded to so many bytes."""
    return (
        json.dumps({"id": 1, "connect": {"token": signed("ann"), "name": "\u20ac"}}, ensure_ascii=False)
        .encode()
        .ljust(size)
    )


async def is_connected(client: Raw) -> bool:
    """Whether the server has read a connect, whole."""
    opcode, payload = await client.frame()
    return opcode == TEXT and b'"connect"' in payload


def head(first: int, length: bytes) -> bytes:
    """The head of a masked frame, and a mask that changes nothing."""
    return bytes([first]) + length + ZERO_MASK


@asynccontextmanager
async def in_fragments(url: str) -> AsyncGenerator[Raw]:
    """A client that has begun a text message."""
    async with raw(url) as client:
        client.send(TEXT, command()[:20], fin=False)
        yield client


class TestOpening:
    async def test_is_answered_with_101_and_the_accept_of_the_key_4_2_2(self, url: str) -> None:
        key = "dGhlIHNhbXBsZSBub25jZQ=="  # of section 1.3

        async with dialled(url, Sec_WebSocket_Key=key) as (_, answer):
            assert answer.status == 101
            assert answer.headers["upgrade"].lower() == "websocket"
            assert answer.headers["connection"].lower() == "upgrade"
            assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    async def test_computes_the_accept_of_any_key_4_2_2(self, url: str) -> None:
        key = base64.b64encode(bytes(range(16))).decode()

        async with dialled(url, Sec_WebSocket_Key=key) as (_, answer):
            assert answer.headers["sec-websocket-accept"] == accept_key(key)

    @pytest.mark.parametrize("upgrade", ["WebSocket", "WEBSOCKET"])
    @pytest.mark.parametrize("connection", ["upgrade", "keep-alive, Upgrade", "UPGRADE"])
    async def test_reads_tokens_in_any_case_and_among_others_4_2_1(
        self, url: str, upgrade: str, connection: str
    ) -> None:
        async with dialled(url, Upgrade=upgrade, Connection=connection) as (_, answer):
            assert answer.status == 101

    @pytest.mark.parametrize("key", [None, "", "short", "not base64 at all!!!!!!!", "AAAA" * 8])
    async def test_needs_a_key_of_16_bytes_4_2_1(self, url: str, key: str | None) -> None:
        async with dialled(url, Sec_WebSocket_Key=key) as (_, answer):
            assert answer.status == 400

    async def test_takes_one_key_only_11_3_1(self, url: str) -> None:
        other = base64.b64encode(bytes(16)).decode()

        async with dialled(url, also=[("Sec-WebSocket-Key", other)]) as (_, answer):
            assert answer.status == 400

    @pytest.mark.parametrize("version", [None, "", "8", "12", "14", "x"])
    async def test_of_another_version_is_told_which_one_is_spoken_4_4(
        self, url: str, version: str | None
    ) -> None:
        async with dialled(url, Sec_WebSocket_Version=version) as (_, answer):
            assert (answer.status, answer.headers["sec-websocket-version"]) == (426, "13")

    @pytest.mark.parametrize("upgrade", [None, "h2c", "websockets"])
    async def test_needs_an_upgrade_to_websocket_4_2_1(self, url: str, upgrade: str | None) -> None:
        async with dialled(url, Upgrade=upgrade) as (_, answer):
            assert 400 <= answer.status < 500

    @pytest.mark.parametrize("connection", [None, "keep-alive", "close"])
    async def test_needs_a_connection_that_is_upgraded_4_2_1(self, url: str, connection: str | None) -> None:
        async with dialled(url, Connection=connection) as (_, answer):
            assert 400 <= answer.status < 500

    async def test_needs_a_host_4_2_1(self, url: str) -> None:
        async with dialled(url, Host=None) as (_, answer):
            assert answer.status == 400

    @pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS"])
    async def test_is_a_get_4_2_1(self, url: str, method: str) -> None:
        async with dialled(url, method=method) as (_, answer):
            assert 400 <= answer.status < 500

    async def test_is_of_http_1_1_at_least_4_2_1(self, url: str) -> None:
        async with dialled(url, version="HTTP/1.0") as (_, answer):
            assert 400 <= answer.status < 500

    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [
            ("centrifuge-json", "centrifuge-json"),
            ("centrifuge-protobuf", "centrifuge-protobuf"),
            ("unknown, centrifuge-json", "centrifuge-json"),
            ("unknown", None),
            (None, None),
        ],
    )
    async def test_chooses_a_subprotocol_that_was_offered_or_none_4_2_2(
        self, url: str, offered: str | None, chosen: str | None
    ) -> None:
        async with dialled(url, Sec_WebSocket_Protocol=offered) as (_, answer):
            assert (answer.status, answer.headers.get("sec-websocket-protocol")) == (101, chosen)

    async def test_reads_subprotocols_of_several_fields_11_3_4(self, url: str) -> None:
        offered = [("Sec-WebSocket-Protocol", one) for one in ("unknown", "centrifuge-protobuf")]

        async with dialled(url, also=offered) as (_, answer):
            assert answer.headers["sec-websocket-protocol"] == "centrifuge-protobuf"

    async def test_agrees_on_no_extension_9_1(self, url: str) -> None:
        async with dialled(url, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits") as (
            _,
            answer,
        ):
            assert answer.status == 101
            assert "sec-websocket-extensions" not in answer.headers

    async def test_of_a_page_from_elsewhere_is_forbidden_10_2(self, url: str) -> None:
        async with dialled(url, Origin="https://elsewhere.test") as (_, answer):
            assert answer.status == 403


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
