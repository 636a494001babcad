"""The peer of the gateway: bare FastAPI routes with the same token check, in a process of their own.

Everything that could make them slower than they must be is left out: no middleware, no access log, no telemetry, nothing
behind them; they answer with a model that is there already.
"""

import asyncio
import gc
import socket
from typing import Annotated, Any

import uvicorn
import uvloop
from fastapi import Depends, FastAPI, Request

from benchmarks.process import obey, read_job
from libs.domain.auth import KEYS, Account, Claims, KeySet, RefreshRequest, TokenPair
from libs.gateway import Authorization, PublicKeys, Revocations, RevocationSettings
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.messaging import AUTHENTICATED, Caller, Empty, Handlers, Identity
from libs.messaging.memory import MemoryBus

_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}  # as the gateway has it


def bare_app(authorization: Authorization, account: Account, tokens: TokenPair) -> FastAPI:
    """`GET /v1/auth/me` for whoever has a good token, and `POST /v1/auth/refresh` for everybody."""
    app = FastAPI(telemetry=_NO_TELEMETRY)

    async def bearer(request: Request) -> Identity | None:
        header = request.headers.get("authorization")
        return await authorization.admit(AUTHENTICATED, header.encode() if header else None)

    @app.get("/v1/auth/me")
    async def me(_: Annotated[Identity, Depends(bearer)]) -> Account:
        return account

    @app.post("/v1/auth/refresh")
    async def refresh(_: RefreshRequest) -> TokenPair:
        return tokens

    return app


async def same_check(keys: KeySet) -> Authorization:
    """The gateway's own token check with its cache, given the public keys."""

    async def answer(_: Empty, __: Caller) -> KeySet:
        return keys

    handlers = Handlers("auth")
    handlers.on(KEYS, answer)
    bus = MemoryBus()
    await bus.serve(handlers)
    verifier = TokenVerifier(Claims, TokenSettings())
    public_keys = PublicKeys(bus, verifier)
    await public_keys.load()
    revocations = Revocations(RevocationSettings(max_age=3600))
    revocations.confirm()
    return Authorization(verifier, public_keys, revocations)


async def serve(*, keys: str, account: str, tokens: str) -> None:
    """Listen on a free port, which the order `port` tells, with uvicorn set as the gateway sets it."""
    authorization = await same_check(KeySet.model_validate_json(keys))
    app = bare_app(authorization, Account.model_validate_json(account), TokenPair.model_validate_json(tokens))
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=65,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    gc.collect()
    gc.freeze()

    async def port() -> dict[str, Any]:
        return {"port": listening.getsockname()[1]}

    await obey({"port": port})
    server.should_exit = True
    await serving


if __name__ == "__main__":
    uvloop.run(serve(**read_job()))
