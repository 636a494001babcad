"""Administration over HTTP: who gets in, what a taken role leaves, and claims from a service on the broker."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from libs.domain.auth import (
    ADMIN_OPERATIONS,
    ClaimsRequest,
    ExtraClaims,
    RegisterRequest,
    claims_operation,
)
from libs.messaging import Caller, Handlers
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import served
from tests.fixtures.accounts import FROM_CLIENT, PASSWORD, auth_world, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import Platform, auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost

ANN = {"email": "ann@example.com", "password": PASSWORD}
CLAIMS = claims_operation("billing.claims")


async def sign_in(http: httpx.AsyncClient, login: str) -> dict[str, str]:
    tokens = await http.post("/v1/auth/login", json={"login": login, "password": PASSWORD})
    assert tokens.status_code == 200, tokens.text
    return {"authorization": f"Bearer {tokens.json()['access_token']}"}


async def make_admin(database: MigratedDatabase, email: str) -> None:
    """As the command does, beside the service."""
    request = RegisterRequest(email=email, password=PASSWORD)
    async with auth_world(database.url, relayed=False) as operator:
        await operator.accounts.register(request, FROM_CLIENT, vouched=True, roles=["admin"])


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
        yield client


async def test_nobody_else_gets_in_anywhere(http: httpx.AsyncClient) -> None:
    ann = (await http.post("/v1/auth/register", json=ANN)).json()["id"]
    bearer = await sign_in(http, ANN["email"])
    assert len(ADMIN_OPERATIONS) > 10
    for operation in ADMIN_OPERATIONS:
        assert operation.http is not None
        path = operation.http.path.format(id=ann, role="admin")
        known = await http.request(operation.http.method, path, headers=bearer)
        unknown = await http.request(
            operation.http.method, path.replace(ann, str(UUID(int=7))), headers=bearer
        )
        for answer in (known, unknown):
            assert (path, answer.status_code, answer.json()["code"]) == (path, 403, "auth.forbidden")
            assert 'scope="admin"' in answer.headers["www-authenticate"]
        assert (await http.request(operation.http.method, path)).status_code == 401


async def test_an_admin_whose_role_is_taken_is_out(
    http: httpx.AsyncClient, database: MigratedDatabase
) -> None:
    for email in ("root@example.com", "second@example.com"):
        await make_admin(database, email)
    root, second = await sign_in(http, "root@example.com"), await sign_in(http, "second@example.com")
    found = await http.get("/v1/admin/accounts", params={"email": "second@example.com"}, headers=root)
    (account,) = found.json()["accounts"]
    assert account["roles"] == ["admin"]
    role = f"/v1/admin/accounts/{account['id']}/roles/admin"
    assert (await http.delete(role, headers=root)).status_code == 204

    async def is_out() -> bool:
        return "auth.session_ended" in (await http.get("/v1/admin/accounts", headers=second)).text

    await eventually(is_out)
    again = await sign_in(http, "second@example.com")
    assert (await http.get("/v1/admin/accounts", headers=again)).status_code == 403
    assert (await http.post(role, headers=root)).status_code == 204
    export = await http.get(f"/v1/admin/accounts/{account['id']}/export", headers=root)
    assert [one["event"] for one in export.json()["audit"]][-2:] == ["session.started", "role.given"]


class Billing:
    """A small service that knows everybody's plan, until it is told to break."""

    def __init__(self) -> None:
        self.broken = False

    async def claims(self, request: ClaimsRequest, _caller: Caller) -> ExtraClaims:
        if self.broken:
            raise RuntimeError("the plans are lost")
        return ExtraClaims(claims={"plan": "pro", "sub": "somebody else", "scope": request.scope + " admin"})


def said(access_token: str) -> dict[str, Any]:
    payload = access_token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


async def test_a_service_adds_claims_and_decides_nothing(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> None:
    billing, table = Billing(), Handlers("billing")
    table.on(CLAIMS, billing.claims)
    bus = await RabbitBus.open(BrokerSettings.model_validate({"url": vhost.url}), name="billing")
    await bus.declare(served(table))
    await bus.serve(table)
    hook = {
        "AUTH_CLAIMS_OPERATION": CLAIMS.name,
        "AUTH_CLAIMS_REQUIRED": "true",
        "AUTH_CLAIMS_TIMEOUT": "5",  # s, as long as may be: a busy machine is no broken service
    }
    auth = auth_process(services, vhost, database, tmp_path, **hook)
    gateway = gateway_process(services, vhost, tmp_path)
    try:
        async with running(auth, gateway), httpx.AsyncClient(base_url=url_of(gateway), timeout=60) as http:
            ann = (await http.post("/v1/auth/register", json=ANN)).json()["id"]
            login = {"login": ANN["email"], "password": PASSWORD}
            tokens = (await http.post("/v1/auth/login", json=login)).json()
            claims = said(tokens["access_token"])
            assert claims["ext"] == {"plan": "pro", "sub": "somebody else", "scope": " admin"}
            assert (claims["sub"], claims["scope"]) == (ann, "")
            bearer = {"authorization": f"Bearer {tokens['access_token']}"}
            assert (await http.get("/v1/auth/me", headers=bearer)).json()["id"] == ann
            assert (await http.get("/v1/admin/accounts", headers=bearer)).status_code == 403

            billing.broken = True
            refresh = {"refresh_token": tokens["refresh_token"]}
            for path, body in (("/v1/auth/login", login), ("/v1/auth/refresh", refresh)):
                refused = await http.post(path, json=body)
                assert (refused.status_code, refused.json()["code"]) == (503, "rpc.unavailable")
                assert refused.headers["retry-after"]
            assert any("claims_missing" in line for line in auth.lines)

            billing.broken = False
            fresh = await http.post("/v1/auth/refresh", json=refresh)
            assert said(fresh.json()["access_token"])["ext"]["plan"] == "pro"
            assert fresh.json()["session_id"] == tokens["session_id"]
    finally:
        await bus.close()
