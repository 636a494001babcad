"""auth_svc as a process of its own, asked over RabbitMQ as the gateway asks it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from libs.domain.auth import (
    ACCOUNT_REGISTERED,
    KEYS,
    LOGIN,
    LOGOUT,
    ME,
    REFRESH,
    REGISTER,
    REVOCATIONS,
    SESSION_REVOKED,
    VALIDATE,
    Account,
    AccountRegistered,
    Claims,
    InvalidCredentials,
    LoginRequest,
    RefreshRequest,
    RegisterRequest,
    RevocationsRequest,
    SessionsRevoked,
    TokenInvalid,
    ValidateRequest,
)
from libs.infra.database import Database, DatabaseSettings
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.messaging import Caller, CallError, Empty, Identity, Listeners, Unavailable, acting_for
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import SHARED
from tests.fixtures.accounts import PASSWORD, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import ServiceProcess, auth_process, running
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import SessionServices, Vhost

QUICK = {"AUTH_HASH_MEMORY": "7168", "AUTH_HASH_PASSES": "1"}
ANN = RegisterRequest(email="ann@example.com", password=PASSWORD)
BY_PASSWORD = LoginRequest(login="ann@example.com", password=PASSWORD)


@asynccontextmanager
async def gateway_bus(vhost: Vhost) -> AsyncGenerator[RabbitBus]:
    """A bus whose word about callers counts."""
    settings = BrokerSettings.model_validate({"url": SecretStr(vhost.url_for("gateway"))})
    bus = await RabbitBus.open(settings, name="gateway")
    try:
        yield bus
    finally:
        await bus.close()


async def registered_by(bus: RabbitBus) -> Account:
    """The account that Ann gets at once, where addresses need not be verified first."""
    account = (await bus.call(REGISTER, ANN)).root
    assert isinstance(account, Account)
    return account


async def nothing_to_ask() -> None:
    """What a control queue missed does not matter here."""


@pytest.fixture
async def process(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[ServiceProcess]:
    one = auth_process(services, vhost, database, tmp_path, **QUICK)
    async with running(one):
        yield one


@pytest.fixture
async def bus(process: ServiceProcess, vhost: Vhost) -> AsyncIterator[RabbitBus]:
    async with gateway_bus(vhost) as opened:
        yield opened


async def test_an_account_lives_its_whole_life_over_rabbitmq(bus: RabbitBus) -> None:
    account = await registered_by(bus)
    verifier = TokenVerifier(Claims, TokenSettings())
    published = await bus.call(KEYS, Empty())
    verifier.replace_keys(key.model_dump() for key in published.keys)
    signed_in = await bus.call(LOGIN, BY_PASSWORD)
    tokens = await bus.call(REFRESH, RefreshRequest(refresh_token=signed_in.refresh_token))
    claims = verifier.verify(tokens.access_token)
    validate = ValidateRequest(access_token=tokens.access_token)
    assert (await bus.call(VALIDATE, validate)).active
    with acting_for(Caller(identity=Identity(claims.sub, claims.sid))):
        assert await bus.call(ME, Empty()) == account
        await bus.call(LOGOUT, Empty())
    assert (await bus.call(VALIDATE, validate)).reason == "auth.session_ended"
    revoked = await bus.call(REVOCATIONS, RevocationsRequest())
    assert [str(one.session_id) for one in revoked.sessions] == [claims.sid]


async def test_errors_come_back_as_their_classes(bus: RabbitBus) -> None:
    with pytest.raises(InvalidCredentials):
        await bus.call(LOGIN, BY_PASSWORD)
    with pytest.raises(TokenInvalid):
        await bus.call(ME, Empty())


async def test_a_logout_is_told_to_every_process_that_hears(bus: RabbitBus) -> None:
    heard: list[SessionsRevoked] = []

    async def hear(event: SessionsRevoked) -> None:
        heard.append(event)

    listeners = Listeners("gateway")
    listeners.on(SESSION_REVOKED, hear)
    await bus.control(listeners, bound=nothing_to_ask)
    account = await registered_by(bus)
    tokens = await bus.call(LOGIN, BY_PASSWORD)
    with acting_for(Caller(identity=Identity(str(account.id), str(tokens.session_id)))):
        await bus.call(LOGOUT, Empty())
    await eventually(lambda: [one.session_ids for one in heard] == [(tokens.session_id,)])


async def test_its_http_port_serves_health_and_metrics_only(process: ServiceProcess) -> None:
    async with httpx.AsyncClient(base_url=process.operations, timeout=60) as client:
        answers = {
            path: (await client.get(path)).status_code
            for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/auth/me")
        }
        login = await client.post("/v1/auth/login", json={"login": "a", "password": "b"})
    assert answers == {
        "/healthz": 200,
        "/readyz": 200,
        "/metrics": 200,
        "/docs": 404,
        "/openapi.json": 404,
        "/v1/auth/me": 404,
    }
    assert login.status_code == 404


async def test_stops_in_order_when_told(process: ServiceProcess) -> None:
    assert await process.stop() == 0
    assert "Traceback" not in process.log.read_text(encoding="utf-8")


class TestStart:
    @pytest.mark.parametrize(
        ("variables", "line"),
        [
            ({"AUTH_KEY_ENCRYPTION_KEYS": ""}, "AUTH_KEY_ENCRYPTION_KEYS: is required"),
            ({"AUTH_KEY_ENCRYPTION_KEYS": "c2hvcnQ="}, "AUTH_KEY_ENCRYPTION_KEYS"),
            ({"AUTH_HASH_MEMORY": "little"}, "AUTH_HASH_MEMORY"),
        ],
    )
    async def test_a_wrong_setting_is_one_line_without_its_value(
        self,
        services: SessionServices,
        vhost: Vhost,
        database: MigratedDatabase,
        tmp_path: Path,
        variables: dict[str, str],
        line: str,
    ) -> None:
        one = auth_process(services, vhost, database, tmp_path, **variables)
        one.start()
        assert await one.ended() == 1
        (said,) = one.lines
        assert line in said
        assert not any(value and value in said for value in variables.values())

    async def test_a_signing_key_that_cannot_be_opened_is_one_line(
        self, services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
    ) -> None:
        async with running(auth_process(services, vhost, database, tmp_path)):
            pass
        other = base64.b64encode(b"o" * 32).decode()
        one = auth_process(services, vhost, database, tmp_path, AUTH_KEY_ENCRYPTION_KEYS=other)
        one.start()
        assert await one.ended() == 1
        (said,) = [line for line in one.lines if "cannot start" in line]
        assert "cannot be opened" in said
        assert "Traceback" not in one.log.read_text(encoding="utf-8")

    async def test_a_database_without_the_schema_is_one_line(
        self, services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
    ) -> None:
        services.postgres.create_database("empty")
        bare = replace(database, url=services.postgres.database_url("empty"))
        one = auth_process(services, vhost, bare, tmp_path)
        one.start()
        status = await one.ended()
        services.postgres.drop_database("empty")
        assert status == 1
        (said,) = [line for line in one.lines if "cannot start" in line]
        assert "gatehouse migrate" in said


class TestDatabaseAway:
    @pytest.mark.parametrize("way", ["refuses", "is silent"])
    async def test_answers_unavailable_in_time_and_recovers_by_itself(
        self, services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path, way: str
    ) -> None:
        async with Proxy.to(database.url) as proxy:
            through = replace(database, url=proxy.url(database.url))
            one = auth_process(services, vhost, through, tmp_path, **QUICK)
            async with running(one), gateway_bus(vhost) as bus:
                await bus.call(REGISTER, ANN)
                tokens = await bus.call(LOGIN, BY_PASSWORD)
                proxy.swallow = way == "is silent"
                proxy.refuse = way == "refuses"
                if proxy.refuse:
                    proxy.cut()
                with pytest.raises(Unavailable):
                    await bus.call(LOGIN, BY_PASSWORD)
                with pytest.raises(Unavailable):
                    await bus.call(REFRESH, RefreshRequest(refresh_token=tokens.refresh_token))
                proxy.swallow = proxy.refuse = False
                await eventually(partial(_signs_in, bus), within=90)


async def _signs_in(bus: RabbitBus) -> bool:
    with suppress(CallError):
        return (await bus.call(LOGIN, BY_PASSWORD)).token_type == "Bearer"
    return False


async def registered(database: MigratedDatabase) -> set[str]:
    """The addresses of the accounts that were committed, whether their callers heard of it or not."""
    settings = DatabaseSettings(url=SecretStr(database.url))
    opened = await Database.open(settings, application="tests")
    async with opened.statements() as session:
        found = set(await session.scalars(text("SELECT email FROM auth.accounts")))
    await opened.close()
    return found


async def test_killed_again_and_again_it_tells_of_every_account_it_committed(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    told: dict[str, set[str]] = {}
    answered: list[str] = []
    numbers = itertools.count()

    async def hear(event: AccountRegistered) -> None:
        told.setdefault(event.email, set()).add(str(event.account_id))

    async def register(bus: RabbitBus) -> None:
        email = f"ann{next(numbers)}@example.com"
        with suppress(CallError):
            await bus.call(REGISTER, RegisterRequest(email=email, password=PASSWORD), timeout=60)
            answered.append(email)

    listeners = Listeners("gateway")
    listeners.on(ACCOUNT_REGISTERED, hear)
    async with gateway_bus(vhost) as bus:
        await bus.declare(SHARED)
        await bus.control(listeners, bound=nothing_to_ask)
        for enough in (10, 20, 30):
            one = auth_process(services, vhost, database, tmp_path, **QUICK)
            one.start()
            await one.ready()
            calls = [asyncio.create_task(register(bus)) for _ in range(40)]
            await eventually(partial(lambda count: len(answered) >= count, enough), within=90)
            one.send(signal.SIGKILL)
            await one.ended()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        committed = await registered(database)
        assert set(answered) <= committed
        async with running(auth_process(services, vhost, database, tmp_path, **QUICK)):
            await eventually(lambda: committed <= told.keys(), within=90)
    assert all(len(ids) == 1 for ids in told.values())
