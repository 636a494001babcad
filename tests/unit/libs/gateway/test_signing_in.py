"""Signing in by cookie where the page was signed in before: the earlier session ends, and never the sign-in with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from libs.domain.auth import (
    CODE_CONFIRM,
    HASHING,
    LOGIN,
    LOGOUT_BY_TOKEN,
    REFRESH,
    ConfirmCode,
    InvalidCredentials,
    LoginReply,
    LoginRequest,
    RefreshRequest,
    TokenPair,
)
from libs.gateway import CookieSettings
from libs.messaging import AppError, Caller, Empty, Handlers, Lane, Unavailable
from tests.unit.libs.app.asgi import Answer, ask
from tests.unit.libs.gateway.door import Door

EARLIER = "e" * 43
PAIR = {
    "access_token": "a.b.c",
    "expires_in": 600,
    "refresh_token": "r" * 43,
    "refresh_expires_in": 1000,
    "session_id": "01890a5d-ac96-774b-bcce-b302099a8057",
}
SIGN_INS = [
    ("/v1/auth/login", b'{"login": "ann", "password": "seven green bottles"}'),
    ("/v1/auth/code/confirm", b'{"request_id": "%b", "code": "12345678"}' % (b"i" * 43)),
]


@dataclass
class Auth:
    """Signs everybody in, and hears who left."""

    left: list[str] = field(default_factory=list)
    refused: AppError | None = None
    deaf: AppError | None = None

    async def login(self, _request: LoginRequest, _caller: Caller) -> LoginReply:
        if self.refused is not None:
            raise self.refused
        return LoginReply.model_validate({**PAIR, "device_token": "d" * 48})

    async def code(self, _request: ConfirmCode, _caller: Caller) -> LoginReply:
        return LoginReply.model_validate({**PAIR, "device_token": "d" * 48})

    async def pair(self, _request: RefreshRequest, _caller: Caller) -> TokenPair:
        return TokenPair.model_validate(PAIR)

    async def logout(self, request: RefreshRequest, caller: Caller) -> Empty:
        assert caller.client.ip
        if self.deaf is not None:
            raise self.deaf
        self.left.append(request.refresh_token)
        return Empty()


@dataclass
class House:
    """A door and the service behind it."""

    door: Door
    auth: Auth

    async def post(self, path: str, body: bytes, *, refresh: str = EARLIER, **headers: str) -> Answer:
        sent = {
            "host": "app.example",
            "origin": "http://app.example",
            "content-type": "application/json",
            "x-gatehouse-cookies": "1",
            "cookie": f"gatehouse-refresh={refresh}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await ask(self.door.app, "POST", path, headers=list(sent.items()), body=[body])


@pytest.fixture
async def house() -> AsyncIterator[House]:
    auth, table = Auth(), Handlers("auth", lanes={HASHING: Lane()})
    table.on(LOGIN, auth.login)
    table.on(CODE_CONFIRM, auth.code)
    table.on(REFRESH, auth.pair)
    table.on(LOGOUT_BY_TOKEN, auth.logout)
    door = Door([LOGIN, CODE_CONFIRM, REFRESH, LOGOUT_BY_TOKEN], cookies=CookieSettings(secure=False))
    await door.bus.serve(table)
    yield House(door, auth)
    await door.bus.close()


@pytest.mark.parametrize(("path", "body"), SIGN_INS)
async def test_the_session_that_the_page_had_ends(house: House, path: str, body: bytes) -> None:
    answer = await house.post(path, body)
    assert (answer.status, len(answer.all("set-cookie"))) == (200, 2)
    assert house.auth.left == [EARLIER]


async def test_a_sign_in_that_fails_ends_nothing(house: House) -> None:
    house.auth.refused = InvalidCredentials()
    assert (await house.post(*SIGN_INS[0])).status == 401
    assert house.auth.left == []


@pytest.mark.parametrize("refresh", ["!", "x" * 5000, "", "\x80"])
async def test_a_cookie_that_names_no_session_changes_nothing(house: House, refresh: str) -> None:
    answer = await house.post(*SIGN_INS[0], refresh=refresh)
    assert (answer.status, len(answer.all("set-cookie")), house.auth.left) == (200, 2, [])


async def test_a_session_that_cannot_be_ended_now_keeps_nobody_out(house: House) -> None:
    house.auth.deaf = Unavailable()
    answer = await house.post(*SIGN_INS[0])
    assert (answer.status, len(answer.all("set-cookie"))) == (200, 2)


async def test_a_foreign_page_ends_nothing(house: House) -> None:
    answer = await house.post(*SIGN_INS[0], origin="https://evil.example")
    assert (answer.status, house.auth.left) == (403, [])


@pytest.mark.parametrize(("path", "body"), [*SIGN_INS, ("/v1/auth/refresh", b"{}")])
async def test_two_refresh_cookies_sign_nobody_in(house: House, path: str, body: bytes) -> None:
    answer = await house.post(path, body, refresh=f"{EARLIER}; gatehouse-refresh={'p' * 43}")
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "http.cross_site")
    assert (answer.all("set-cookie"), house.auth.left) == ([], [])


async def test_whoever_keeps_tokens_itself_has_no_earlier_session_here(house: House) -> None:
    answer = await house.post(*SIGN_INS[0], x_gatehouse_cookies="0")
    assert (answer.status, house.auth.left) == (200, [])


async def test_a_refresh_goes_on_with_its_session(house: House) -> None:
    assert (await house.post("/v1/auth/refresh", b"{}")).status == 200
    assert house.auth.left == []
