"""Throttles as clients meet them, through the gateway: both services as processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.fixtures.accounts import PASSWORD, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost

THROTTLES = {
    "AUTH_THROTTLE_ATTEMPTS": "3",
    "AUTH_THROTTLE_FIRST_DELAY": "300",
    "AUTH_REGISTER_PER_HOUR": "3",
    "AUTH_REFRESH_PER_MINUTE": "2",
    "AUTH_TOKEN_PER_MINUTE": "2",
}


async def sign_in(client: httpx.AsyncClient, password: str, ip: str, **body: str) -> httpx.Response:
    return await client.post(
        "/v1/auth/login",
        json={"login": "eve@example.com", "password": password, **body},
        headers={"x-forwarded-for": ip},
    )


def is_throttled(answer: httpx.Response) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] > 0
    return (answer.status_code, answer.json()["code"]) == (429, "auth.too_many_attempts")


async def test_clients_behind_a_trusted_proxy_are_throttled_one_by_one(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    services.redis.flush()
    auths = [auth_process(services, vhost, database, tmp_path, **THROTTLES) for _ in range(2)]
    gateway = gateway_process(services, vhost, tmp_path, GATEWAY_TRUSTED_PROXIES="127.0.0.1")
    async with running(*auths, gateway), httpx.AsyncClient(base_url=url_of(gateway), timeout=60) as client:
        account = {"email": "eve@example.com", "password": PASSWORD}
        registered = [
            await client.post("/v1/auth/register", json=account, headers={"x-forwarded-for": "192.0.2.1"})
            for _ in range(4)
        ]
        assert [answer.status_code for answer in registered] == [201, 409, 409, 429]
        assert is_throttled(registered[-1])

        tokens = (await sign_in(client, PASSWORD, "192.0.2.1")).json()
        refresh = {"refresh_token": tokens["refresh_token"]}
        refreshed = [await client.post("/v1/auth/refresh", json=refresh) for _ in range(3)]
        assert [answer.status_code for answer in refreshed] == [200, 200, 429]
        assert is_throttled(refreshed[-1])

        program = {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}
        asked = [await client.post("/v1/auth/token", data=program) for _ in range(3)]
        assert [answer.status_code for answer in asked] == [401, 401, 429]
        assert asked[-1].json()["error"] == "temporarily_unavailable"
        assert int(asked[-1].headers["retry-after"]) > 0

        # Both processes answer, and count together.
        wrong = [await sign_in(client, "wrong password", "192.0.2.66") for _ in range(4)]
        assert [answer.status_code for answer in wrong] == [401, 401, 401, 429]
        assert is_throttled(wrong[-1])
        assert is_throttled(await sign_in(client, PASSWORD, "192.0.2.66"))
        assert (await sign_in(client, PASSWORD, "192.0.2.1")).status_code == 200
        # What a client writes itself, left of what the proxy writes, is not believed.
        assert is_throttled(await sign_in(client, PASSWORD, "192.0.2.1, 192.0.2.66"))
        known = await sign_in(client, PASSWORD, "192.0.2.66", device_token=tokens["device_token"])
        assert known.status_code == 200


async def test_without_redis_sign_ins_go_on_and_are_throttled_and_the_service_says_so(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    server = services.redis
    server.flush()
    auth = auth_process(services, vhost, database, tmp_path, **THROTTLES)
    gateway = gateway_process(services, vhost, tmp_path, GATEWAY_TRUSTED_PROXIES="127.0.0.1")
    async with running(auth, gateway), httpx.AsyncClient(base_url=url_of(gateway), timeout=60) as client:
        account = {"email": "eve@example.com", "password": PASSWORD}
        assert (await client.post("/v1/auth/register", json=account)).status_code == 201
        await asyncio.to_thread(server.stop)
        try:
            wrong = [await sign_in(client, "wrong password", "192.0.2.66") for _ in range(4)]
            assert [answer.status_code for answer in wrong] == [401, 401, 401, 429]
            assert is_throttled(wrong[-1])
            assert (await sign_in(client, PASSWORD, "192.0.2.1")).status_code == 200

            async def lacks_redis_alone() -> bool:
                readiness = await client.get(auth.operations + "/readyz")
                return (readiness.status_code, readiness.json()["missing"]) == (200, ["redis"])

            await eventually(lacks_redis_alone)
            assert any("throttles_per_process" in line for line in auth.lines)
        finally:
            await asyncio.to_thread(server.start)

        async def shared_again() -> bool:
            await sign_in(client, PASSWORD, "192.0.2.1")
            return any("throttles_shared_again" in line for line in auth.lines)

        await eventually(shared_again)
        assert (await sign_in(client, "wrong password", "192.0.2.66")).status_code == 401  # Redis was empty
