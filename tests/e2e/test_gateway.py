"""The gateway as its clients meet it: both services as processes, on real PostgreSQL, RabbitMQ and Redis."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from libs.domain.auth import ClaimsRequest, ExtraClaims, claims_operation
from libs.local import RabbitMQ
from libs.messaging import Caller, Handlers
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import served
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import Platform, auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost

PASSWORD = "seven green bottles"
CLAIMS = claims_operation("plans.claims")


class Person:
    """Someone with an account."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.headers: dict[str, str] = {}

    async def register(self) -> httpx.Response:
        return await self.client.post(
            "/v1/auth/register", json={"email": "ann@example.com", "password": PASSWORD}
        )

    async def login(self) -> httpx.Response:
        answer = await self.client.post(
            "/v1/auth/login", json={"login": "ann@example.com", "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        self.headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        return answer

    async def me(self) -> httpx.Response:
        return await self.client.get("/v1/auth/me", headers=self.headers)

    async def is_out(self) -> bool:
        return (await self.me()).status_code == 401


@pytest.fixture
async def ann(platform: Platform) -> AsyncIterator[Person]:
    """Ann, signed in."""
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
        ann = Person(client)
        await ann.register()
        await ann.login()
        yield ann


async def eventually(condition: Callable[[], Awaitable[bool]], within: float = 90.0) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(within):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.1)


async def test_an_account_lives_its_whole_life(platform: Platform) -> None:
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
        ann = Person(client)
        registered = await ann.register()
        assert (registered.status_code, registered.json()["email"]) == (201, "ann@example.com")
        again = await ann.register()
        assert (again.status_code, again.json()["code"]) == (409, "auth.account_exists")

        tokens = await ann.login()
        assert tokens.headers["cache-control"] == "no-store"
        assert (await ann.me()).json() == registered.json()

        refreshed = await client.post(
            "/v1/auth/refresh", json={"refresh_token": tokens.json()["refresh_token"]}
        )
        assert refreshed.json()["session_id"] == tokens.json()["session_id"]

        assert (await client.post("/v1/auth/logout", headers=ann.headers)).status_code == 204
        await eventually(ann.is_out)
        ended = await ann.me()
        assert (ended.status_code, ended.json()["code"]) == (401, "auth.session_ended")
        assert ended.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_a_session_that_ends_is_refused_by_every_gateway(
    services: SessionServices, vhost: Vhost, tmp_path: Path, ann: Person
) -> None:
    other = gateway_process(services, vhost, tmp_path)
    async with running(other), httpx.AsyncClient(base_url=url_of(other), timeout=60) as elsewhere:
        refresh = {"refresh_token": (await ann.login()).json()["refresh_token"]}
        assert (await elsewhere.get("/v1/auth/me", headers=ann.headers)).status_code == 200
        await ann.client.post("/v1/auth/logout", headers=ann.headers)
        for door in (ann.client, elsewhere):
            answer = await door.post("/v1/auth/refresh", json=refresh)
            assert (answer.status_code, answer.json()["code"]) == (401, "auth.session_ended")

        async def refused() -> bool:
            return (await elsewhere.get("/v1/auth/me", headers=ann.headers)).status_code == 401

        await eventually(refused)


async def test_a_gateway_that_starts_later_knows_what_ended_before(
    services: SessionServices, vhost: Vhost, tmp_path: Path, ann: Person
) -> None:
    await ann.client.post("/v1/auth/logout", headers=ann.headers)
    late = gateway_process(services, vhost, tmp_path)
    async with running(late), httpx.AsyncClient(base_url=url_of(late), timeout=60) as elsewhere:
        answer = await elsewhere.get("/v1/auth/me", headers=ann.headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.session_ended")


async def test_without_its_auth_service_a_gateway_is_alive_but_not_ready(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    gateway = gateway_process(services, vhost, tmp_path)
    gateway.start()
    try:
        async with httpx.AsyncClient(base_url=url_of(gateway), timeout=60) as client:

            async def listening() -> bool:
                try:
                    return (await client.get("/healthz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(listening)

            async def lacks_it() -> bool:
                readiness = await client.get("/readyz")
                found = (readiness.status_code, readiness.json()["missing"])
                return found == (503, ["auth_svc", "revocations"])

            await eventually(lacks_it)
            refused = await Person(client).register()
            assert (refused.status_code, refused.json()["code"]) == (503, "rpc.unavailable")
            assert refused.headers["retry-after"] == "1"
            async with running(auth_process(services, vhost, database, tmp_path)):
                await gateway.ready()
                assert (await Person(client).register()).status_code == 201
    finally:
        await gateway.stop()


async def test_a_broker_that_goes_and_comes_back_is_survived(
    broker: RabbitMQ, platform: Platform, ann: Person
) -> None:
    await asyncio.to_thread(broker.stop)

    async def unavailable() -> bool:
        answer = await ann.me()
        return answer.status_code == 503 and answer.json()["code"] == "rpc.unavailable"

    await eventually(unavailable)
    assert (await ann.client.get("/healthz")).status_code == 200
    assert "rabbitmq" in (await ann.client.get("/readyz")).json()["missing"]
    assert (await ann.client.get("/v1/auth/me")).status_code == 401

    await asyncio.to_thread(broker.start)

    async def answered() -> bool:
        return (await ann.me()).status_code == 200

    await eventually(answered)
    await platform.gateway.ready()


class Plans:
    """A service that is asked for claims at each sign-in and refresh, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Event()
        self.let.set()

    async def claims(self, _request: ClaimsRequest, _caller: Caller) -> ExtraClaims:
        self.asked += 1
        await self.let.wait()
        return ExtraClaims(claims={})


@asynccontextmanager
async def plans_served(vhost: Vhost) -> AsyncGenerator[Plans]:
    plans, table = Plans(), Handlers("plans")
    table.on(CLAIMS, plans.claims)
    bus = await RabbitBus.open(BrokerSettings.model_validate({"url": vhost.url}), name="plans")
    try:
        await bus.declare(served(table))
        await bus.serve(table)
        yield plans
    finally:
        await bus.close()


async def test_a_stop_lets_what_runs_finish(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    hook = {"AUTH_CLAIMS_OPERATION": CLAIMS.name, "AUTH_CLAIMS_TIMEOUT": "5"}
    auth = auth_process(services, vhost, database, tmp_path, **hook)
    gateway = gateway_process(services, vhost, tmp_path)
    async with (
        plans_served(vhost) as plans,
        running(auth, gateway),
        httpx.AsyncClient(base_url=url_of(gateway), timeout=60) as client,
    ):
        ann = Person(client)
        await ann.register()
        tokens = [(await ann.login()).json()["refresh_token"] for _ in range(8)]
        before = plans.asked
        plans.let.clear()
        requests = [
            asyncio.create_task(client.post("/v1/auth/refresh", json={"refresh_token": token}))
            for token in tokens
        ]

        async def all_run() -> bool:
            return plans.asked - before >= len(tokens)

        async def is_stopping() -> bool:
            return "stopping" in (await client.get(gateway.operations + "/readyz")).text

        await eventually(all_run)
        gateway.send(signal.SIGTERM)
        await eventually(is_stopping)
        plans.let.set()
        answers = await asyncio.gather(*requests)
        assert {answer.status_code for answer in answers} == {200}
        assert await gateway.ended() == 0


async def test_nothing_secret_is_in_the_logs(platform: Platform, ann: Person) -> None:
    token = ann.headers["authorization"].removeprefix("Bearer ")
    await ann.client.get(f"/v1/auth/me?access_token={token}", headers=ann.headers)
    await ann.client.get("/v1/auth/me", headers={"authorization": f"Bearer {token[:-4]}AAAA"})
    await ann.client.post("/v1/auth/login", content=b'{"login": "ann", "password": "hunter2"')
    await platform.gateway.stop()
    await platform.auth.stop()
    written = platform.gateway.log.read_text() + platform.auth.log.read_text()
    for secret in (PASSWORD, "hunter2", token, token.split(".")[2], "k" * 32):
        assert secret not in written
    requests = [json.loads(line) for line in platform.gateway.lines if '"request"' in line]
    assert {"GET /v1/auth/me 422", "GET /v1/auth/me 401"} <= {
        f"{one['method']} {one['path']} {one['status']}" for one in requests
    }


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"AMQP_URL": "http://127.0.0.1"}, "AMQP_URL: "),
        ({"GATEWAY_PORT": "0x1f90"}, "GATEWAY_PORT: "),
        ({"GATEWAY_REALTIME_NAMESPACES": "[]"}, "GATEWAY_REALTIME_NAMESPACES: "),
    ],
)
async def test_a_wrong_setting_ends_the_start_with_one_line(
    services: SessionServices, vhost: Vhost, tmp_path: Path, variables: dict[str, str], line: str
) -> None:
    gateway = gateway_process(services, vhost, tmp_path, **variables)
    gateway.start()
    assert await gateway.ended() == 1
    (told,) = gateway.lines
    assert told.startswith(line)
