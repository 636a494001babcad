"""Logging out by cookie, when the access token is good, over, revoked or not there any more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from libs.domain.auth import LOGOUT, LOGOUT_ALL, LOGOUT_BY_TOKEN, RefreshRequest
from libs.gateway import CookieSettings
from libs.messaging import AppError, Caller, Empty, Handlers, Unavailable
from tests.unit.libs.app.asgi import Answer, ask
from tests.unit.libs.gateway.door import Door

REFRESH_TOKEN = "r" * 43
OWN_PAGE = {"host": "app.example", "origin": "http://app.example", "x-gatehouse-cookies": "1"}


@dataclass
class Departures:
    """Hears who left, and by what."""

    by_session: list[str] = field(default_factory=list)
    by_token: list[str] = field(default_factory=list)
    error: AppError | None = None

    async def logout(self, _request: Empty, caller: Caller) -> Empty:
        self.by_session.append(caller.identity.sid if caller.identity else "")
        return Empty()

    async def logout_by_token(self, request: RefreshRequest, caller: Caller) -> Empty:
        assert caller.client.ip
        if self.error is not None:
            raise self.error
        self.by_token.append(request.refresh_token)
        return Empty()

    def handlers(self) -> Handlers:
        table = Handlers("auth")
        table.on(LOGOUT, self.logout)
        table.on(LOGOUT_ALL, self.logout)
        table.on(LOGOUT_BY_TOKEN, self.logout_by_token)
        return table


@dataclass
class House:
    """A door and who hears of departures."""

    door: Door
    heard: Departures

    async def leave(
        self, *, access: str = "", refresh: str = "", path: str = "/v1/auth/logout", **headers: str
    ) -> Answer:
        shown = {"gatehouse-access": access, "gatehouse-refresh": refresh}
        cookie = "; ".join(f"{name}={value}" for name, value in shown.items() if value)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**OWN_PAGE, **({"cookie": cookie} if cookie else {}), **named}
        return await ask(self.door.app, "POST", path, headers=list(sent.items()))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    heard = Departures()
    door = Door([LOGOUT, LOGOUT_ALL, LOGOUT_BY_TOKEN], cookies=CookieSettings(secure=False))
    await door.bus.serve(heard.handlers())
    yield House(door, heard)
    await door.bus.close()


def cleared(answer: Answer) -> bool:
    cookies = answer.all("set-cookie")
    return len(cookies) == 2 and all("Max-Age=0" in one for one in cookies)


async def test_a_good_access_token_leaves_by_its_session(house: House) -> None:
    token = house.door.issuer.token(sid="here")
    answer = await house.leave(access=token, refresh=REFRESH_TOKEN)
    assert (answer.status, cleared(answer)) == (204, True)
    assert (house.heard.by_session, house.heard.by_token) == (["here"], [])


@pytest.mark.parametrize("access", ["expired", "nonsense", "none"])
async def test_any_other_leaves_by_its_refresh_token(house: House, access: str) -> None:
    token = {"expired": house.door.issuer.token(lifetime=-60), "nonsense": "a.b.c", "none": ""}[access]
    answer = await house.leave(access=token, refresh=REFRESH_TOKEN)
    assert (answer.status, cleared(answer)) == (204, True)
    assert (house.heard.by_session, house.heard.by_token) == ([], [REFRESH_TOKEN])


async def test_a_session_that_was_ended_elsewhere_is_left_too(house: House) -> None:
    token = house.door.issuer.token(sid="gone")
    house.door.revocations.add("gone", 2**40)
    assert cleared(await house.leave(access=token, refresh=REFRESH_TOKEN))


@pytest.mark.parametrize("refresh", ["", "!", "x" * 5000])
async def test_whoever_has_nothing_good_loses_the_cookies_all_the_same(house: House, refresh: str) -> None:
    answer = await house.leave(access="a.b.c", refresh=refresh)
    assert (answer.status, cleared(answer)) == (204, True)
    assert house.heard.by_token == []


async def test_a_session_that_cannot_be_ended_now_keeps_its_cookies(house: House) -> None:
    """Else the page would show somebody signed out whose session goes on."""
    house.heard.error = Unavailable()
    answer = await house.leave(refresh=REFRESH_TOKEN)
    assert (answer.status, answer.all("set-cookie")) == (503, [])


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://app.example.evil.example"},
        {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize("access", ["", "a.b.c"])
async def test_a_foreign_page_signs_nobody_out(house: House, headers: dict[str, str], access: str) -> None:
    answer = await house.leave(access=access, refresh=REFRESH_TOKEN, **headers)
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "http.cross_site")
    assert (answer.all("set-cookie"), house.heard.by_token) == ([], [])


async def test_a_form_signs_nobody_out(house: House) -> None:
    """A form can send no header; the cookies are `SameSite=Strict` besides."""
    answer = await house.leave(refresh=REFRESH_TOKEN, x_gatehouse_cookies="0")
    assert (answer.status, answer.all("set-cookie"), house.heard.by_token) == (401, [], [])


async def test_a_bearer_is_judged_as_ever(house: House) -> None:
    answer = await house.leave(refresh=REFRESH_TOKEN, authorization="Bearer nonsense")
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "auth.token_invalid")
    assert house.heard.by_token == []


@pytest.mark.parametrize("name", ["gatehouse-access", "gatehouse-refresh"])
async def test_two_cookies_of_one_name_leave_nobodys_session(house: House, name: str) -> None:
    """Which of them is the page's own cannot be seen, and to end none and say so would be a lie."""
    answer = await house.leave(cookie=f"{name}=planted; {name}={REFRESH_TOKEN}")
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "http.cross_site")
    assert (answer.all("set-cookie"), house.heard.by_token) == ([], [])


async def test_leaving_everywhere_takes_a_good_access_token(house: House) -> None:
    """A 204 that ended this session alone would be a lie; the page refreshes first."""
    answer = await house.leave(refresh=REFRESH_TOKEN, path="/v1/auth/logout/all")
    assert (answer.status, answer.all("set-cookie")) == (401, [])
