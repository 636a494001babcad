"""People and their own accounts, as clients of two gateways meet it: over HTTP and on the WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from centrifuge import Client

from libs.auth.callers import Origin
from libs.local import RabbitMQ
from tests.fixtures.accounts import auth_world, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, gateway_process, running, url_of
from tests.fixtures.realtime import Told, soon
from tests.fixtures.services import SessionServices, Vhost

EMAIL, PASSWORD, ANOTHER = "ann@example.com", "seven green bottles", "eight brown teapots"


@dataclass
class Device:
    """One sign-in of Ann's, which asks every gateway."""

    doors: list[httpx.AsyncClient]
    tokens: dict[str, Any]
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {"authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def session(self) -> str:
        return str(self.tokens["session_id"])

    async def ask(self, method: str, path: str, *, door: int = 0, **request: Any) -> httpx.Response:
        return await self.doors[door].request(method, f"/v1/auth{path}", headers=self.headers, **request)

    async def statuses(self) -> set[int]:
        """What every gateway says of its token."""
        return {(await one.get("/v1/auth/me", headers=self.headers)).status_code for one in self.doors}

    async def refused(self) -> bool:
        return await self.statuses() == {401}

    async def refresh(self) -> httpx.Response:
        return await self.doors[0].post(
            "/v1/auth/refresh", json={"refresh_token": self.tokens["refresh_token"]}
        )


@dataclass
class Gateways:
    """Two gateways before one auth service."""

    doors: list[httpx.AsyncClient]

    async def sign_in(self, password: str = PASSWORD) -> Device:
        answer = await self.doors[0].post("/v1/auth/login", json={"login": EMAIL, "password": password})
        assert answer.status_code == 200, answer.text
        return Device(self.doors, answer.json())

    def sockets(self) -> list[str]:
        return [
            str(one.base_url).replace("http", "ws", 1).rstrip("/") + "/connection/websocket"
            for one in self.doors
        ]


@pytest.fixture
async def gateways(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[Gateways]:
    """Ready, with Ann's account."""
    auth = auth_process(services, vhost, database, tmp_path)
    processes = [gateway_process(services, vhost, tmp_path) for _ in range(2)]
    async with running(auth, *processes), AsyncExitStack() as opened:
        doors = [
            await opened.enter_async_context(httpx.AsyncClient(base_url=url_of(one), timeout=60))
            for one in processes
        ]
        await doors[0].post("/v1/auth/register", json={"email": EMAIL, "password": PASSWORD})
        yield Gateways(doors)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_people_see_and_end_their_sessions(gateways: Gateways) -> None:
    phone, tablet, laptop = [await gateways.sign_in() for _ in range(3)]
    listed = (await laptop.ask("GET", "/sessions")).json()
    assert [one["id"] for one in listed["sessions"]] == [laptop.session, tablet.session, phone.session]
    assert [one["current"] for one in listed["sessions"]] == [True, False, False]
    assert {"device", "ip", "created_at", "last_seen_at"} < listed["sessions"][0].keys()
    page = (await laptop.ask("GET", f"/sessions?limit=1&after={laptop.session}")).json()
    assert ([one["id"] for one in page["sessions"]], page["next"]) == ([tablet.session], tablet.session)

    assert (await laptop.ask("DELETE", f"/sessions/{phone.session}")).status_code == 204
    await eventually(phone.refused)
    assert (await laptop.ask("POST", "/logout/others", door=1)).status_code == 204
    await eventually(tablet.refused)
    assert await laptop.statuses() == {200}
    assert (await laptop.ask("POST", "/logout/all")).status_code == 204
    await eventually(laptop.refused)
    for device in (phone, tablet, laptop):
        assert problem(await device.refresh()) == (401, "auth.session_ended")


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/sessions/01890a5d-ac96-774b-bcce-b302099a8057", (404, "auth.session_not_found")),
        ("/sessions/mine", (422, "validation.failed")),
        ("/sessions/", (404, "http.not_found")),
    ],
)
async def test_what_is_no_session_of_theirs_is_refused(
    gateways: Gateways, path: str, refusal: tuple[int, str]
) -> None:
    ann = await gateways.sign_in()
    assert problem(await ann.ask("DELETE", path)) == refusal


async def test_an_old_sign_in_is_challenged_where_a_recent_one_is_asked_for(
    gateways: Gateways, database: MigratedDatabase
) -> None:
    other, ann = await gateways.sign_in(), await gateways.sign_in()
    async with auth_world(database.url, relayed=False) as world:
        await world.rows(
            "UPDATE auth.sessions SET authenticated_at = now() - interval '16 minutes' RETURNING id"
        )
    for method, path in (
        ("DELETE", f"/sessions/{other.session}"),
        ("POST", "/logout/others"),
        ("DELETE", "/me"),
    ):
        answer = await ann.ask(method, path)
        assert problem(answer) == (401, "auth.sign_in_too_old")
        assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
    again = await gateways.sign_in()
    assert (await again.ask("DELETE", f"/sessions/{other.session}")).status_code == 204


async def test_an_account_is_changed_and_its_password_too(gateways: Gateways) -> None:
    other, ann = await gateways.sign_in(), await gateways.sign_in()
    changed = await ann.ask("PATCH", "/me", json={"username": "Ann", "metadata": {"theme": "dark"}})
    assert (changed.status_code, changed.json()["username"]) == (200, "ann")
    changed = await ann.ask("PATCH", "/me", json={"username": None})
    assert (changed.json()["username"], changed.json()["metadata"]) == (None, {"theme": "dark"})
    assert (await ann.ask("GET", "/me", door=1)).json() == changed.json()

    wrong = await ann.ask("POST", "/password", json={"current_password": "wrong", "new_password": ANOTHER})
    assert problem(wrong) == (401, "auth.invalid_credentials")
    weak = await ann.ask("POST", "/password", json={"current_password": PASSWORD, "new_password": EMAIL})
    assert (problem(weak), weak.json()["errors"][0]["field"]) == ((422, "validation.failed"), "new_password")
    done = await ann.ask("POST", "/password", json={"current_password": PASSWORD, "new_password": ANOTHER})
    assert done.status_code == 204
    await eventually(other.refused)
    assert await ann.statuses() == {200}
    assert (await gateways.sign_in(ANOTHER)).session


async def test_a_deleted_account_is_gone(gateways: Gateways) -> None:
    other, ann = await gateways.sign_in(), await gateways.sign_in()
    assert problem(await ann.ask("DELETE", "/me", json={"password": "wrong"})) == (
        401,
        "auth.invalid_credentials",
    )
    assert (await ann.ask("DELETE", "/me", json={"password": PASSWORD})).status_code == 204
    await eventually(ann.refused)
    await eventually(other.refused)
    again = await gateways.doors[0].post("/v1/auth/login", json={"login": EMAIL, "password": PASSWORD})
    assert problem(again) == (401, "auth.invalid_credentials")
    register = {"email": EMAIL, "password": PASSWORD}
    assert (await gateways.doors[1].post("/v1/auth/register", json=register)).status_code == 201


async def test_shutting_an_account_refuses_its_tokens_everywhere_and_closes_its_sockets(
    gateways: Gateways, services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    phone, laptop = await gateways.sign_in(), await gateways.sign_in()
    told = []
    for address, device in zip(gateways.sockets(), (phone, laptop), strict=True):
        told.append(Told())
        client = Client(address, token=device.tokens["access_token"], events=told[-1], proxy=None)
        await client.connect()
        await soon(told[-1].subscribed)
    async with auth_world(database.url, relayed=False) as world:  # as the operator's command does
        assert await world.closing.disable_by_login(EMAIL, Origin()) == 2
    for one in told:
        assert (await soon(one.disconnected)).code == 3500
    await eventually(phone.refused)
    await eventually(laptop.refused)

    late = gateway_process(services, vhost, tmp_path)
    async with running(late), httpx.AsyncClient(base_url=url_of(late), timeout=60) as door:
        for device in (phone, laptop):
            answer = await door.get("/v1/auth/me", headers=device.headers)
            assert problem(answer) == (401, "auth.session_ended")
        refused = Told()
        address = url_of(late).replace("http", "ws", 1) + "/connection/websocket"
        client = Client(address, token=phone.tokens["access_token"], events=refused, proxy=None)
        await client.connect()
        assert (await soon(refused.disconnected)).code == 3500


async def test_what_ended_while_the_broker_was_away_is_refused_when_it_is_back(
    broker: RabbitMQ, gateways: Gateways, database: MigratedDatabase
) -> None:
    phone, laptop = await gateways.sign_in(), await gateways.sign_in()
    await asyncio.to_thread(broker.stop)
    async with auth_world(database.url, relayed=False) as world:
        ((account,),) = await world.rows("SELECT id FROM auth.accounts")
        assert await world.closing.delete(account, Origin())
    await asyncio.to_thread(broker.start)
    await eventually(phone.refused, within=180)
    await eventually(laptop.refused, within=180)
