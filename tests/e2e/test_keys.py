"""Signing keys while clients are at work: nobody notices a rotation, and everybody a revocation."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import jwt
import pytest

from tests.fixtures.accounts import PASSWORD, AuthWorld, auth_world, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import Platform
from tests.unit.libs.gateway.door import Issuer

CLIENTS = 8
ROTATIONS = 4
STRANGERS = 40


@dataclass
class Load:
    """Clients that call, refresh and sign in all the time; every answer is counted by its status."""

    url: str
    statuses: Counter[int] = field(default_factory=Counter)
    kids: set[str] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def client(self, number: int) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as http:
            login = {"login": f"load{number}@example.com", "password": PASSWORD}
            await http.post("/v1/auth/register", json={"email": login["login"], "password": PASSWORD})
            tokens = (await http.post("/v1/auth/login", json=login)).json()
            while not self.over.is_set():
                for _ in range(5):
                    self.count(await http.get("/v1/auth/me", headers=bearer(tokens)))
                answer = self.count(
                    await http.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
                )
                assert answer.status_code == 200, answer.text
                tokens = answer.json()
                self.kids.add(jwt.get_unverified_header(tokens["access_token"])["kid"])

    def count(self, answer: httpx.Response) -> httpx.Response:
        self.statuses[answer.status_code] += 1
        return answer

    async def grown(self) -> None:
        """Return when some more answers have come."""
        wanted = self.statuses[200] + 100
        await eventually(lambda: self.statuses[200] >= wanted, within=180)


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


@asynccontextmanager
async def load(url: str) -> AsyncGenerator[Load]:
    found = Load(url)
    clients = [asyncio.create_task(found.client(number)) for number in range(CLIENTS)]
    try:
        yield found
    finally:
        found.over.set()
        await asyncio.gather(*clients)


@pytest.fixture
async def beside(platform: Platform, database: MigratedDatabase) -> AsyncIterator[AuthWorld]:
    """The rules of identity over the platform's database, as the operator's command has them."""
    async with auth_world(database.url, relayed=False) as world:
        yield world


async def published(platform: Platform, beside: AuthWorld) -> None:
    """Wait until the gateway knows the key that signs next: a rotation at once is for whoever has seen to that."""
    [following] = [one.kid for one in await beside.keys.states() if one.state == "next"]
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:

        async def known() -> bool:
            return following in (await http.get("/.well-known/jwks.json")).text

        await eventually(known)


async def test_rotating_under_load_costs_no_request(platform: Platform, beside: AuthWorld) -> None:
    async with load(platform.url) as found:
        await found.grown()
        signed = []
        for _ in range(ROTATIONS):
            await published(platform, beside)
            signed.append((await beside.keys.rotate(at_once=True)).kid)
            await eventually(lambda: signed[-1] in found.kids, within=180)
            await found.grown()
    assert set(found.statuses) == {200}
    assert len(set(signed)) == ROTATIONS


async def test_a_revoked_key_is_refused_by_the_gateway_and_sessions_go_on(
    platform: Platform, beside: AuthWorld
) -> None:
    login = {"login": "ann@example.com", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        await http.post("/v1/auth/register", json={"email": login["login"], "password": PASSWORD})
        tokens = (await http.post("/v1/auth/login", json=login)).json()
        revoked = jwt.get_unverified_header(tokens["access_token"])["kid"]
        assert (await http.get("/v1/auth/me", headers=bearer(tokens))).status_code == 200
        await beside.keys.revoke(revoked)

        async def refused() -> bool:
            answer = await http.get("/v1/auth/me", headers=bearer(tokens))
            return answer.status_code == 401 and answer.json()["code"] == "auth.token_invalid"

        await eventually(refused)
        found = (await http.get("/.well-known/jwks.json")).json()["keys"]
        assert revoked not in {key["kid"] for key in found}

        async def another_signs() -> bool:
            signed = (await http.post("/v1/auth/login", json=login)).json()["access_token"]
            return bool(jwt.get_unverified_header(signed)["kid"] != revoked)

        await eventually(another_signs)
        again = await http.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert (await http.get("/v1/auth/me", headers=bearer(again.json()))).status_code == 200


async def test_unknown_keys_hold_up_nobody_while_auth_svc_stands_still(platform: Platform) -> None:
    forged = bearer({"access_token": Issuer().token()})
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:

        async def unanswered() -> bool:
            asked = [http.get("/v1/auth/me", headers=forged) for _ in range(STRANGERS)]
            answers = await asyncio.gather(*asked)
            return {(one.status_code, one.json()["code"]) for one in answers} == {(503, "rpc.unavailable")}

        platform.auth.send(signal.SIGSTOP)
        try:
            await eventually(unanswered, within=60)  # one after the other they would take minutes
        finally:
            platform.auth.send(signal.SIGCONT)

        async def judged() -> bool:
            return (await http.get("/v1/auth/me", headers=forged)).status_code == 401

        await eventually(judged)
