"""Back ends without AMQP: the server API of two gateway processes on one RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from centrifuge import Client

from libs.containers.gateway_container import OPEN_PATHS
from libs.realtime import SERVER_API_PATHS
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, gateway_process, running, url_of
from tests.fixtures.realtime import Heard, Told, soon
from tests.fixtures.services import SessionServices, Vhost
from tests.unit.libs.realtime.test_tokens import token

KEY, SECRET = "api-key-of-at-least-thirty-two-bytes", "secret-of-at-least-thirty-two-bytes"


@dataclass(frozen=True)
class BackEnd:
    """A program that has the API key and no broker."""

    http: httpx.AsyncClient
    url: str

    async def call(self, method: str, **request: Any) -> Any:
        answer = await self.http.post(f"{self.url}/api/{method}", json=request, headers={"x-api-key": KEY})
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


@pytest.fixture
async def gateways(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[list[str]]:
    """The addresses of two gateway processes that have an API key."""
    auth = auth_process(services, vhost, database, tmp_path)
    variables = {"GATEWAY_REALTIME_API_KEY": KEY, "GATEWAY_REALTIME_TOKEN_SECRET": SECRET}
    both = [gateway_process(services, vhost, tmp_path, **variables) for _ in range(2)]
    async with running(auth, *both):
        yield [url_of(one) for one in both]


@pytest.fixture
async def back_end(gateways: list[str]) -> AsyncIterator[BackEnd]:
    async with httpx.AsyncClient(timeout=60) as http:
        yield BackEnd(http, gateways[0])


def client_of(gateway: str, told: Told) -> Client:
    address = gateway.replace("http", "ws", 1) + "/connection/websocket"
    return Client(address, token=token(SECRET, sub="42"), events=told, proxy=None)


async def test_what_a_back_end_says_reaches_clients_of_every_gateway_and_is_kept(
    back_end: BackEnd, gateways: list[str]
) -> None:
    clients, heard = [client_of(one, Told()) for one in gateways], [Heard(), Heard()]
    for client, events in zip(clients, heard, strict=True):
        await client.connect()
        await client.new_subscription("public:news", events=events).subscribe()
        await soon(events.subscribed)

    kept = await back_end.call("publish", channel="public:news", data={"n": 1})

    said = [await soon(one.publications) for one in heard]
    assert [(one.data, one.offset) for one in said] == [({"n": 1}, kept["offset"])] * 2
    page = await back_end.call("history", channel="public:news", limit=10)
    assert [(one["data"], one["offset"]) for one in page["publications"]] == [({"n": 1}, kept["offset"])]
    assert page["epoch"] == kept["epoch"]
    for client in clients:
        await client.disconnect()


async def test_a_user_is_disconnected_from_every_gateway(back_end: BackEnd, gateways: list[str]) -> None:
    told = [Told() for _ in gateways]
    for gateway, events in zip(gateways, told, strict=True):
        await client_of(gateway, events).connect()
        await soon(events.connected)

    assert await back_end.call("disconnect", user="42", disconnect={"code": 4999, "reason": "out"}) == {}

    closed = await asyncio.gather(*(soon(one.disconnected) for one in told))
    assert [(one.code, one.reason) for one in closed] == [(4999, "out")] * 2


async def test_of_all_open_paths_those_of_the_server_api_ask_for_the_key(back_end: BackEnd) -> None:
    asked = {path: await back_end.http.post(back_end.url + path, json={}) for path in sorted(OPEN_PATHS)}

    refused = {path for path, answer in asked.items() if answer.status_code == 401}
    assert refused == SERVER_API_PATHS
    assert {asked[path].json()["code"] for path in refused} == {"realtime.api_key_invalid"}
    bearer = {"authorization": "Bearer " + token(SECRET, sub="42")}
    answer = await back_end.http.post(back_end.url + "/api/publish", json={}, headers=bearer)
    assert answer.status_code == 401


async def test_a_body_that_is_too_large_is_refused(back_end: BackEnd) -> None:
    body = {"channel": "public:news", "data": "x" * 200_000}
    answer = await back_end.http.post(back_end.url + "/api/publish", json=body, headers={"x-api-key": KEY})
    assert answer.status_code == 413
