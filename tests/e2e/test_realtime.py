"""A signed-in user hears live events: official client, gateway process, RabbitMQ stream, any AMQP client."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pika
import pytest
from centrifuge import Client

from tests.fixtures.platform import Platform
from tests.fixtures.realtime import Heard, Told, soon
from tests.fixtures.services import Vhost

EMAIL, PASSWORD = "ann@example.com", "seven green bottles"


def publish_as_anybody(url: str, channel: str, body: object) -> None:
    """What any AMQP client does: here pika."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    line = connection.channel()
    line.confirm_delivery()
    line.basic_publish(
        "gatehouse.events",
        "realtime.news.posted",
        json.dumps(body).encode(),
        pika.BasicProperties(headers={"channel": channel}),
        mandatory=True,
    )
    connection.close()


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway over HTTP."""
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
        yield client


@pytest.fixture
async def tokens(http: httpx.AsyncClient) -> dict[str, str]:
    """A new account, signed in."""
    registered = await http.post("/v1/auth/register", json={"email": EMAIL, "password": PASSWORD})
    assert registered.status_code == 201, registered.text
    signed_in = await http.post("/v1/auth/login", json={"login": EMAIL, "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text
    return {**signed_in.json(), "account": registered.json()["id"]}


def address(platform: Platform) -> str:
    return platform.url.replace("http", "ws", 1) + "/connection/websocket"


async def test_an_event_reaches_a_signed_in_user_until_the_session_ends(
    platform: Platform, http: httpx.AsyncClient, tokens: dict[str, str], vhost: Vhost
) -> None:
    told, heard = Told(), Heard()
    client = Client(address(platform), token=tokens["access_token"], events=told, proxy=None)
    await client.connect()
    assert (await soon(told.subscribed)).channel == f"user:#{tokens['account']}"
    await client.new_subscription("public:news", events=heard).subscribe()
    await soon(heard.subscribed)

    await asyncio.to_thread(publish_as_anybody, vhost.url, "public:news", {"title": "first"})
    await asyncio.to_thread(publish_as_anybody, vhost.url, f"user:#{tokens['account']}", {"only": "you"})

    publication = await soon(heard.publications)
    assert publication.data == {"title": "first"}
    assert publication.tags == {"type": "realtime.news.posted"}
    assert (await soon(told.publications)).pub.data == {"only": "you"}

    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await http.post("/v1/auth/logout", headers=bearer)).status_code == 204

    closed = await soon(told.disconnected)
    assert (closed.code, closed.reason) == (3500, "session ended")


async def test_an_operation_can_be_called_over_the_socket(platform: Platform, tokens: dict[str, str]) -> None:
    client = Client(address(platform), token=tokens["access_token"], timeout=60, proxy=None)
    await client.connect()

    answered = await client.rpc("auth.me", None)

    assert answered.data["id"] == tokens["account"]
    await client.disconnect()


async def test_a_token_that_is_no_good_is_turned_away(platform: Platform) -> None:
    told = Told()
    client = Client(address(platform), token="rubbish", events=told, proxy=None)

    await client.connect()

    closed = await soon(told.disconnected)
    assert (closed.code, closed.reason) == (3500, "invalid token")


async def test_a_gateway_that_stops_sends_its_clients_elsewhere(
    platform: Platform, tokens: dict[str, str]
) -> None:
    told = Told()
    client = Client(address(platform), token=tokens["access_token"], events=told, proxy=None)
    await client.connect()
    await soon(told.connected)

    assert await platform.gateway.stop() == 0

    assert (await soon(told.connecting)).code == 0  # connect was called
    lost = await soon(told.connecting)
    assert (lost.code, lost.reason) == (3001, "shutdown")
    await client.disconnect()
