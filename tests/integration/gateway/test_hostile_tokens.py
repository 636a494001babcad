"""Every trick of RFC 8725, at the HTTP door and at the WebSocket door of a gateway on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from libs.infra.jwt import ALGORITHMS, Algorithm
from libs.messaging.memory import MemoryBus
from libs.realtime import MemoryLog, Realtime, RealtimeProtocol, RealtimeSettings
from tests.integration.gateway.forgery import KEYS, good, hostile
from tests.unit.libs.gateway import operations as notes
from tests.unit.libs.gateway.door import AuthService, Door

HOSTILE = hostile()
SOCKET = "/connection/websocket"
TIMES = {
    "expired": ("auth.token_expired", "109")
}  # the one that a client is told apart, so that it refreshes


@dataclass
class Doors:
    """Where the gateway's two doors are."""

    port: int

    async def over_http(self, token: str) -> str:
        """The code of the refusal; nothing where the token is believed."""
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"http://127.0.0.1:{self.port}/v1/notes", json={"text": "hi"}, headers=headers
            )
        assert answer.status_code in {201, 401}
        return "" if answer.status_code == 201 else str(answer.json()["code"])

    async def over_websocket(self, token: str) -> str:
        """The code of the error or of the close; nothing where the token is believed."""
        async with asyncio.timeout(30), connect(f"ws://127.0.0.1:{self.port}{SOCKET}", proxy=None) as socket:
            try:
                await socket.send(json.dumps({"id": 1, "connect": {"token": token}}))
                reply = json.loads(await socket.recv())
            except ConnectionClosed as closed:
                return str(closed.rcvd.code if closed.rcvd else None)
        return str(reply["error"]["code"]) if "error" in reply else ""


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    """A gateway that has a key of each algorithm."""
    door = Door(notes.OPERATIONS, open_paths={SOCKET})
    door.issuer.keys = list(KEYS.values())
    door.verifier.replace_keys([key.public_jwk for key in door.issuer.keys])
    await door.bus.serve(AuthService(door.issuer).handlers())
    await door.bus.serve(notes.handlers())
    realtime = Realtime(
        RealtimeSettings(), log=MemoryLog(), verify=door.authorization.believe, bus=MemoryBus()
    )
    door.behind.router.routes.extend(realtime.routes)
    await realtime.start()
    config = uvicorn.Config(door.app, port=0, ws=RealtimeProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.01)
    yield Doors(server.servers[0].sockets[0].getsockname()[1])
    await realtime.close()
    server.should_exit = True
    await running


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_good_token_opens_both_doors(doors: Doors, algorithm: Algorithm) -> None:
    assert not await doors.over_http(good(algorithm))
    assert not await doors.over_websocket(good(algorithm))


@pytest.mark.parametrize("trick", HOSTILE)
async def test_a_hostile_token_opens_neither(doors: Doors, trick: str) -> None:
    http, websocket = TIMES.get(trick, ("auth.token_invalid", "3500"))
    assert await doors.over_http(HOSTILE[trick]) == http
    assert await doors.over_websocket(HOSTILE[trick]) == websocket
