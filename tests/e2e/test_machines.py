"""Programs at the door: client credentials and API keys, over HTTP and over WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from libs.auth.callers import Origin
from tests.fixtures.accounts import PASSWORD, auth_world, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import Platform

ANN = {"email": "ann@example.com", "password": PASSWORD}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
        yield client


async def bearer(http: httpx.AsyncClient) -> dict[str, str]:
    await http.post("/v1/auth/register", json=ANN)
    tokens = await http.post("/v1/auth/login", json={"login": ANN["email"], "password": PASSWORD})
    return {"authorization": f"Bearer {tokens.json()['access_token']}"}


async def connected(socket: ClientConnection, token: str) -> bool:
    await socket.send(json.dumps({"id": 1, "connect": {"token": token}}))
    return "connect" in json.loads(await socket.recv())


async def test_an_api_key_opens_both_doors_until_it_is_revoked(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    owner = await bearer(http)
    made = await http.post("/v1/auth/api-keys", json={"name": "backup"}, headers=owner)
    assert made.status_code == 201
    key = made.json()["key"]
    program = {"authorization": f"Bearer {key}"}
    me = await http.get("/v1/auth/me", headers=program)
    assert me.status_code == 200
    for method, path in (
        ("POST", "/v1/auth/logout"),
        ("GET", "/v1/auth/api-keys"),
        ("GET", "/v1/auth/sessions"),
    ):
        refused = await http.request(method, path, headers=program)
        assert (path, refused.status_code, refused.json()["code"]) == (path, 403, "auth.forbidden")
    address = platform.url.replace("http", "ws") + "/connection/websocket"
    async with asyncio.timeout(90), connect(address, proxy=None) as socket:
        assert await connected(socket, key)
        gone = await http.delete(f"/v1/auth/api-keys/{made.json()['id']}", headers=owner)
        assert gone.status_code == 204
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 3500

    async def refuses() -> bool:
        return (await http.get("/v1/auth/me", headers=program)).status_code == 401

    await eventually(refuses)
    async with asyncio.timeout(90), connect(address, proxy=None) as socket:
        with pytest.raises(ConnectionClosed):
            await connected(socket, key)


async def test_a_service_account_signs_in_as_oauth_clients_do(
    platform: Platform, http: httpx.AsyncClient, database: MigratedDatabase
) -> None:
    async with auth_world(database.url, relayed=False) as operator:
        services = operator.rules.service_accounts
        new = await services.create("billing", "notes:read", Origin())
        basic = httpx.BasicAuth(str(new.client_id), new.client_secret)
        in_body = {"client_id": str(new.client_id), "client_secret": new.client_secret}
        answers = [
            await http.post("/v1/auth/token", data=GRANT, auth=basic),
            await http.post("/v1/auth/token", data=GRANT | in_body),
            await http.post("/v1/auth/token", json=GRANT | in_body),
            await http.post("/v1/auth/token", data=GRANT | in_body | {"scope": "", "audience": "billing"}),
        ]
        for answer in answers:
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
        program = {"authorization": f"Bearer {answers[0].json()['access_token']}"}
        forbidden = await http.get("/v1/auth/me", headers=program)
        assert (forbidden.status_code, forbidden.json()["code"]) == (403, "auth.forbidden")
        await services.disable("billing", Origin())

        async def refused() -> bool:
            return (await http.get("/v1/auth/me", headers=program)).status_code == 401

        await eventually(refused)


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        ({"data": GRANT, "auth": ("x", "y")}, 401, "invalid_client"),
        (
            {"data": {"grant_type": "password", "username": "ann", "password": "y"}, "auth": ("x", "y")},
            400,
            "unsupported_grant_type",
        ),
        ({"data": GRANT}, 400, "invalid_request"),
        (
            {"data": GRANT | {"client_id": "x", "client_secret": "y"}, "auth": ("x", "y")},
            400,
            "invalid_request",
        ),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid_request"),
    ],
)
async def test_refusals_are_those_of_oauth(
    http: httpx.AsyncClient, sent: dict[str, object], status: int, error: str
) -> None:
    answer = await http.post("/v1/auth/token", **sent)  # type: ignore[arg-type]  # one of the ways to send
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/json"
    assert ("www-authenticate" in answer.headers) == (status == 401)
