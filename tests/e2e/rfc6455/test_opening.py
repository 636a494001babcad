"""The opening handshake, byte by byte against a running gateway (RFC 6455, sections 4, 9.1, 10.2 and 11.3)."""

import base64

import pytest
from websockets.utils import accept_key

from tests.fixtures.raw_socket import dialled

pytestmark = pytest.mark.asyncio(loop_scope="package")


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
