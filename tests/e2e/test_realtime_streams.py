"""Where no WebSocket gets through: a stream of one gateway process, commands at another, with all that stands before them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_realtime import EMAIL, PASSWORD, publish_as_anybody
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import ServiceProcess, auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost
from tests.fixtures.streams import HTTP_STREAM, SSE, streaming

FRONT = "https://front.test"


@pytest.fixture
async def gateways(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[list[ServiceProcess]]:
    """Two processes, and the auth service behind them."""
    auth = auth_process(services, vhost, database, tmp_path)
    variables = {"GATEWAY_REALTIME_ALLOWED_ORIGINS": FRONT, "GATEWAY_CORS_ORIGINS": FRONT}
    gateways = [gateway_process(services, vhost, tmp_path, **variables) for _ in range(2)]
    async with running(auth, *gateways):
        yield gateways


async def signed_in(url: str) -> str:
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        registered = await http.post("/v1/auth/register", json={"email": EMAIL, "password": PASSWORD})
        assert registered.status_code == 201, registered.text
        answer = await http.post("/v1/auth/login", json={"login": EMAIL, "password": PASSWORD})
        token: str = answer.json()["access_token"]
        return token


async def test_commands_go_to_any_process_and_a_stop_ends_the_streams_at_once(
    gateways: list[ServiceProcess], vhost: Vhost
) -> None:
    one, other = gateways
    token = await signed_in(url_of(one))
    async with (
        streaming(url_of(one), HTTP_STREAM, token, origin=FRONT) as first,
        streaming(url_of(one), SSE, token, origin=FRONT) as second,
    ):
        for client in (first, second):
            await client.reply(1)
            client.emulation = f"{url_of(other)}/emulation"
            await client.ask(id=2, subscribe={"channel": "public:news"})
            me = await client.ask(id=3, rpc={"method": "auth.me"})
            assert me["rpc"]["data"]["email"] == EMAIL
            assert client.answer.headers.get_list("access-control-allow-origin") == [FRONT]
        await asyncio.to_thread(publish_as_anybody, vhost.url, "public:news", {"title": "first"})
        for client in (first, second):
            assert (await client.publication())["data"] == {"title": "first"}

        status = await one.stop()

        ends = [await client.until_end() for client in (first, second)]
    assert status == 0
    assert ends == [{"code": 3001, "reason": "shutdown"}] * 2
    assert not [line for line in one.lines if '"level": "error"' in line or "Traceback" in line]


async def test_commands_for_a_process_that_was_killed_are_answered_in_time_and_the_client_resumes(
    gateways: list[ServiceProcess], vhost: Vhost
) -> None:
    one, other = gateways
    token = await signed_in(url_of(one))
    async with streaming(url_of(one), HTTP_STREAM, token) as client:
        await client.reply(1)
        client.emulation = f"{url_of(other)}/emulation"
        subscribed = (await client.ask(id=2, subscribe={"channel": "public:news"}))["subscribe"]

        one.send(signal.SIGKILL)
        await one.ended()
        async with asyncio.timeout(10):
            answer = await client.send({"id": 3, "rpc": {"method": "auth.me"}})

    assert answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.GATEWAY_TIMEOUT}
    await asyncio.to_thread(publish_as_anybody, vhost.url, "public:news", {"title": "missed"})
    async with streaming(url_of(other), HTTP_STREAM, token) as client:
        await client.reply(1)
        position = {"offset": subscribed["offset"], "epoch": subscribed["epoch"]}
        resumed = await client.ask(id=2, subscribe={"channel": "public:news", "recover": True, **position})
        assert resumed["subscribe"]["recovered"] is True
        # In the answer where this process has read the log so far, and else as soon as it has.
        [missed] = resumed["subscribe"].get("publications") or [await client.publication()]
        assert missed["data"] == {"title": "missed"}
