"""A web page that keeps its tokens in cookies, and pages of others that would like to use them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.fixtures.accounts import PASSWORD, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost
from tests.fixtures.streams import HTTP_STREAM, SSE, streaming

EVIL = "https://evil.example"
FRONT = "https://front.example"
"""May open realtime connections, with a token of its own."""
INSECURE_AND_FRONT = {"GATEWAY_COOKIE_SECURE": "false", "GATEWAY_REALTIME_ALLOWED_ORIGINS": FRONT}


@pytest.fixture
async def page(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A page of the gateway's own origin, with a browser's cookies."""
    auth = auth_process(services, vhost, database, tmp_path)
    gateway = gateway_process(services, vhost, tmp_path, **INSECURE_AND_FRONT)
    async with running(auth, gateway):
        url = url_of(gateway)
        own = {"origin": url, "sec-fetch-site": "same-origin", "x-gatehouse-cookies": "1"}
        async with httpx.AsyncClient(base_url=url, headers=own, timeout=60) as client:
            ann = {"email": "ann@example.com", "password": PASSWORD}
            await client.post("/v1/auth/register", json=ann)
            login = await client.post("/v1/auth/login", json={"login": ann["email"], "password": PASSWORD})
            assert login.status_code == 200
            assert not {"access_token", "refresh_token"} & login.json().keys()
            yield client


async def refused(page: httpx.AsyncClient, bearer: dict[str, str]) -> None:
    """Wait until the gateway has heard that the session is over."""

    async def ended() -> bool:
        return "auth.session_ended" in (await page.get("/v1/auth/me", headers=bearer)).text

    await eventually(ended)


async def test_a_page_lives_with_cookies_alone(page: httpx.AsyncClient) -> None:
    me = await page.get("/v1/auth/me")
    assert (me.status_code, me.headers["cache-control"]) == (200, "no-store")
    before = dict(page.cookies)
    assert (await page.post("/v1/auth/refresh", json={})).status_code == 200
    assert dict(page.cookies).keys() == before.keys()
    assert dict(page.cookies) != before
    assert (await page.get("/v1/auth/me")).status_code == 200
    assert (await page.post("/v1/auth/logout")).status_code == 204
    assert dict(page.cookies) == {}
    assert (await page.get("/v1/auth/me")).status_code == 401


async def test_a_page_signs_out_by_its_refresh_cookie_alone(page: httpx.AsyncClient) -> None:
    """As a browser does that dropped the access cookie at its end."""
    kept = dict(page.cookies)
    access = kept.pop("gatehouse-access")
    page.cookies.delete("gatehouse-access")
    left = await page.post("/v1/auth/logout")
    assert (left.status_code, dict(page.cookies)) == (204, {})
    assert len(left.headers.get_list("set-cookie")) == 2
    refresh = {"cookie": "; ".join(f"{name}={value}" for name, value in kept.items())}
    assert (await page.post("/v1/auth/refresh", json={}, headers=refresh)).json()[
        "code"
    ] == "auth.session_ended"
    bearer = {"authorization": f"Bearer {access}"}
    await refused(page, bearer)
    again = await page.post("/v1/auth/logout", headers={"cookie": f"gatehouse-access={access}"})
    assert (again.status_code, len(again.headers.get_list("set-cookie"))) == (204, 2)


async def test_signing_in_again_ends_the_session_that_the_page_had(page: httpx.AsyncClient) -> None:
    earlier = dict(page.cookies)
    again = await page.post("/v1/auth/login", json={"login": "ann@example.com", "password": PASSWORD})
    assert again.status_code == 200
    assert (await page.get("/v1/auth/me")).status_code == 200
    bearer = {"authorization": f"Bearer {earlier['gatehouse-access']}"}
    await refused(page, bearer)
    left = {"refresh_token": earlier["gatehouse-refresh"]}
    assert (await page.post("/v1/auth/refresh", json=left)).json()["code"] == "auth.session_ended"


async def test_a_foreign_page_gets_nothing_done(page: httpx.AsyncClient) -> None:
    for headers in (
        {"origin": EVIL, "sec-fetch-site": "cross-site", "x-gatehouse-cookies": ""},
        {"origin": EVIL, "sec-fetch-site": "cross-site"},
        {"x-gatehouse-cookies": ""},
        {"origin": "null"},
    ):
        for path in ("/v1/auth/logout", "/v1/auth/logout/all"):
            refused = await page.post(path, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "http.cross_site")
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-gatehouse-cookies"}
    preflight = await page.options("/v1/auth/logout", headers={"origin": EVIL, **asked})
    assert "access-control-allow-origin" not in preflight.headers
    assert (await page.get("/v1/auth/me")).status_code == 200


async def test_a_websocket_opens_by_cookie_from_the_own_origin_only(page: httpx.AsyncClient) -> None:
    address = str(page.base_url).replace("http", "ws").rstrip("/") + "/connection/websocket"
    own = str(page.base_url).rstrip("/")
    cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in page.cookies.items())}
    hello = json.dumps({"id": 1, "connect": {}})
    async with asyncio.timeout(90):
        async with connect(address, origin=Origin(own), additional_headers=cookie, proxy=None) as socket:
            await socket.send(hello)
            assert "connect" in json.loads(await socket.recv())
            assert (await page.post("/v1/auth/logout")).status_code == 204
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 3500
        with pytest.raises(InvalidStatus):
            async with connect(address, origin=Origin(EVIL), additional_headers=cookie, proxy=None):
                pass
        async with connect(address, additional_headers=cookie, proxy=None) as socket:
            await socket.send(hello)
            with pytest.raises(ConnectionClosed):
                await socket.recv()


async def test_a_stream_opens_by_cookie_from_the_own_origin_only(page: httpx.AsyncClient) -> None:
    url = str(page.base_url).rstrip("/")
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    own = {"origin": url, "cookie": cookie}
    unnamed = {"sec-fetch-site": "same-origin", "cookie": cookie}  # as EventSource asks its own origin
    for path, others in (
        (HTTP_STREAM, [{"origin": FRONT}, {}]),
        (SSE, [{"origin": FRONT}, {}, {"sec-fetch-site": "same-site"}]),
    ):
        for headers in others:
            async with streaming(url, path, "", cookie=cookie, **headers) as client:
                assert (await client.until_end())["code"] == 3501
        async with streaming(url, path, "", cookie=cookie, origin=EVIL) as client:
            assert client.answer.status_code == 403
    async with (
        streaming(url, HTTP_STREAM, "", **own) as first,
        streaming(url, SSE, "", **own) as second,
        streaming(url, SSE, "", **unnamed) as third,
    ):
        streams = (first, second, third)
        for client in streams:
            assert not (await client.reply(1))["connect"].get("expires")
            me = await client.ask(id=2, rpc={"method": "auth.me"})
            assert me["rpc"]["data"]["email"] == "ann@example.com"
        assert (await page.post("/v1/auth/logout")).status_code == 204
        assert [(await client.until_end())["code"] for client in streams] == [3500] * 3
