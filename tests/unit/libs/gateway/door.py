"""A gateway in one process with a bus in memory: real tokens, real routes, no sockets."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from libs.app import EdgeSettings
from libs.app.edge import Edge
from libs.app.metrics import HttpMetrics
from libs.app.problem import render_errors
from libs.app.tally import Tally
from libs.domain.auth import (
    KEYS,
    REVOCATIONS,
    Claims,
    KeySet,
    RevocationsRequest,
)
from libs.domain.auth import (
    Revocations as RevokedPage,
)
from libs.gateway import (
    Authorization,
    Cookies,
    CookieSettings,
    Gate,
    PublicKeys,
    Revocations,
    RevocationSettings,
)
from libs.infra.jwt import SigningKey, TokenSettings, TokenVerifier
from libs.messaging import AnyOperation, Caller, Empty, Handlers, Overloaded
from libs.messaging.memory import MemoryBus


class Issuer:
    """Signs access tokens as the auth service does."""

    def __init__(self) -> None:
        self.keys = [SigningKey.generate("ES256")]

    def rotate(self) -> None:
        """Sign with a new key from now on; the old ones stay public."""
        self.keys.append(SigningKey.generate("ES256"))

    @property
    def key_set(self) -> KeySet:
        return KeySet.model_validate({"keys": [key.public_jwk for key in self.keys]})

    def token(
        self, *, sid: str = "", sub: str = "", scope: str = "", lifetime: int = 600, iss: str = "gatehouse"
    ) -> str:
        now = int(time.time())
        claims = Claims(
            iss=iss,
            aud="gatehouse",
            sub=sub or str(uuid.uuid4()),
            client_id="gatehouse",
            sid=sid or str(uuid.uuid4()),
            jti=str(uuid.uuid4()),
            iat=now - 700,
            exp=now + lifetime,
            scope=scope,
            auth_time=now,
            amr=("pwd",),
        )
        return self.keys[-1].sign(claims)


class AuthService:
    """What the gateway asks the auth service for."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.pages: list[RevokedPage] = [RevokedPage(sessions=())]
        self.asked_for_keys = 0
        self.refusals = 0
        """How often it is overloaded from now on."""
        self.asked_after: list[str] = []

    def handlers(self) -> Handlers:
        table = Handlers("auth")
        table.on(KEYS, self.keys)
        table.on(REVOCATIONS, self.revocations)
        return table

    async def keys(self, _request: Empty, _caller: Caller) -> KeySet:
        self.asked_for_keys += 1
        if self.refusals:
            self.refusals -= 1
            raise Overloaded
        return self.issuer.key_set

    async def revocations(self, request: RevocationsRequest, _caller: Caller) -> RevokedPage:
        self.asked_after.append(str(request.after))
        return self.pages[min(len(self.asked_after), len(self.pages)) - 1]


class Door:
    """The gate of some operations, before an application of its own."""

    def __init__(
        self,
        operations: Sequence[AnyOperation],
        *,
        open_paths: Collection[str] = (),
        max_body: int = 65_536,
        cookies: CookieSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = Issuer()
        self.bus = MemoryBus()
        self.verifier = TokenVerifier(Claims, TokenSettings())
        self.verifier.replace_keys([key.public_jwk for key in self.issuer.keys])
        self.keys = PublicKeys(self.bus, self.verifier)
        self.revocations = Revocations(RevocationSettings())
        self.revocations.confirm()
        self.authorization = Authorization(self.verifier, self.keys, self.revocations)
        self.gate = Gate(
            operations,
            bus=self.bus,
            authorization=self.authorization,
            open_paths=open_paths,
            cookies=Cookies(cookies or CookieSettings(), loopback=True),
            clock=clock,
        )
        self.behind = FastAPI(openapi_url=None)
        render_errors(self.behind)
        self.app: ASGIApp = Edge(
            self.gate.before(self),
            settings=EdgeSettings(max_body=max_body),
            tally=Tally(HttpMetrics()),
        )

    async def __call__(self, scope: Scope, receive: object, send: object) -> None:
        await self.behind(scope, receive, send)  # type: ignore[arg-type]  # ASGI's own callables

    def serves(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0].value for route in self.behind.router.routes)

    def bearer(self, **claims: str) -> tuple[str, str]:
        """The header of a client with a good token."""
        return ("authorization", f"Bearer {self.issuer.token(**claims)}")  # type: ignore[arg-type]  # claims by name


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds, for at most half a minute."""
    async with asyncio.timeout(30):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.002)
