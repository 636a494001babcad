"""How long after a logout, or the revocation of an API key, it is refused by every gateway and its sockets are closed."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Self, cast

import uvloop
from typing_extensions import override

from benchmarks.command import progress, run_alone
from benchmarks.http.stack import Stack, running
from benchmarks.process import Child, child, cores
from benchmarks.report import Fields, circumstances, medians, rounded
from libs.local import LocalServices

GATEWAYS = 2
QUIET, BUSY = 100, 300  # logouts without load and under it
KEYS = 300  # API keys revoked under load
LOAD_SESSIONS = 16  # per gateway
LOAD_RATE = 300  # requests per second at each gateway, each answered by auth_svc and PostgreSQL
LOAD_SECONDS = 5.0  # of a round of load; the next follows at once until the logouts are over
PAUSE = 0.01  # s on average between one logout's end and the next

_SIGN_INS = 4  # at a time
_KEYS_EACH = 20  # of one account, which may have 25
_CHEAP_HASHES = {"AUTH_HASH_MEMORY": "7168", "AUTH_HASH_PASSES": "1"}  # passwords are not what is measured
_SECONDS = 10.0  # in which a logout must be over everywhere
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_UPGRADE = (
    b"GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_CLOSE, _SESSION_ENDED = 0x88, (3500).to_bytes(2, "big")
_PING, _PONG = b"\x81\x02{}", b"\x81\x82\x00\x00\x00\x00{}"  # of the client protocol; a mask of zeros


@dataclass(frozen=True)
class _End:
    """What ends, and the request that ends it."""

    shown: str
    """The bearer that is refused afterwards."""
    asked: str
    by: str
    """The bearer that asks for it."""

    @classmethod
    def of_session(cls, session: Fields) -> Self:
        """A logout."""
        return cls(session["access_token"], "POST /v1/auth/logout", session["access_token"])


@dataclass
class _Tally:
    """What was measured (s), and what went wrong."""

    refused: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    faults: int = 0


def run(local: LocalServices) -> Fields:
    """The figures that the platform is held to, and everything that they come from."""
    with running(local, gateways=GATEWAYS, **_CHEAP_HASHES) as stack:
        return uvloop.run(_measure(local, stack))


async def _measure(local: LocalServices, stack: Stack) -> Fields:
    result = circumstances("uvicorn", "uvloop", "pyjwt", "sqlalchemy", "asyncpg")
    result["versions"]["rabbitmq"] = local.rabbitmq.ctl("version").strip()
    sessions, keys = await asyncio.to_thread(_made, stack)
    progress(f"{len(sessions)} sessions are signed in, {len(keys)} API keys are made")
    logouts = [_End.of_session(one) for one in sessions[: QUIET + BUSY]]
    async with AsyncExitStack() as opened:
        loads = []
        for number, port in enumerate(stack.ports):
            mine = sessions[QUIET + BUSY + number :: GATEWAYS]
            job = {"port": port, "sessions": mine, "seconds": LOAD_SECONDS}
            loads.append(
                await opened.enter_async_context(child("benchmarks.http", "me", core=cores()[1], job=job))
            )
        quiet = await _ends(logouts[:QUIET], stack.ports)
        progress(f"without load: {_figures(quiet)}")
        over = asyncio.Event()
        loading = [asyncio.create_task(_kept_up(one, over)) for one in loads]
        busy = await _ends(logouts[QUIET:], stack.ports)
        progress(f"under load: {_figures(busy)}")
        revoked = await _ends(keys, stack.ports)
        progress(f"API keys under load: {_ms(revoked.refused, 0.99)} ms")
        over.set()
        load = await asyncio.gather(*loading)
    figures = {**_figures(busy), "api_key_p99_ms": _ms(revoked.refused, 0.99)}
    return {**figures, **_report(quiet, busy, revoked, load), **result}


def _made(stack: Stack) -> tuple[list[Fields], list[_End]]:
    """The sessions of logouts and of load, and API keys with whoever revokes them."""
    ours, owners = QUIET + BUSY + GATEWAYS * LOAD_SESSIONS, KEYS // _KEYS_EACH
    with ThreadPoolExecutor(_SIGN_INS) as pool:
        sessions = list(pool.map(stack.sign_in, range(ours + owners)))
        keys = list(pool.map(lambda owner: _keys_of(stack, owner["access_token"]), sessions[ours:]))
    return sessions[:ours], [one for some in keys for one in some]


def _keys_of(stack: Stack, owner: str) -> list[_End]:
    made = [
        json.loads(stack.ask("POST", "/v1/auth/api-keys", {"name": "bench"}, token=owner))
        for _ in range(_KEYS_EACH)
    ]
    return [_End(one["key"], f"DELETE /v1/auth/api-keys/{one['id']}", owner) for one in made]


async def _kept_up(load: Child, over: asyncio.Event) -> list[Fields]:
    """Rounds of load until it is over."""
    rounds = [await load.order(f"go {LOAD_RATE}")]
    while not over.is_set():
        rounds.append(await load.order(f"go {LOAD_RATE}"))
    return rounds


async def _ends(ends: Sequence[_End], ports: Sequence[int]) -> _Tally:
    """End one after the other, each through the next gateway."""
    tally = _Tally()
    async with AsyncExitStack() as opened:
        lines = [await opened.enter_async_context(_Http.to(port)) for port in ports]
        sockets = [[await _Socket.connected(port, one.shown) for port in ports] for one in ends]
        for number, end in enumerate(ends):
            await asyncio.sleep(random.uniform(0, 2 * PAUSE))
            async with asyncio.timeout(_SECONDS):
                await _end(end, lines, number % len(lines), sockets[number], tally)
    return tally


async def _end(
    end: _End, lines: Sequence[_Http], through: int, sockets: Sequence[_Socket], tally: _Tally
) -> None:
    tally.faults += sum(one.closed.done() for one in sockets)
    for line in lines:
        tally.faults += await line.ask("GET /v1/auth/me", end.shown) != 200
    asked = time.perf_counter()
    tally.faults += await lines[through].ask(end.asked, end.by) != 204
    answered = time.perf_counter()
    refused = await asyncio.gather(*(_refused(line, end.shown) for line in lines))
    closed = await asyncio.gather(*(one.closed for one in sockets))
    tally.faults += sum([await line.ask("GET /v1/auth/me", end.shown) != 401 for line in lines])
    tally.faults += sum(one.code != _SESSION_ENDED for one in sockets)
    tally.ended.append(answered - asked)
    tally.refused.append(max(refused) - answered)
    tally.closed.append(max(0.0, max(closed) - answered))


async def _refused(line: _Http, token: str) -> float:
    """Ask until the answer is 401, without a pause; when it came."""
    while await line.ask("GET /v1/auth/me", token) != 401:
        pass
    return time.perf_counter()


class _Http:
    """A keep-alive connection to one gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncGenerator[_Http]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def ask(self, line: str, token: str) -> int:
        """The status of the answer."""
        head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
        self._writer.write(head.encode())
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if length:
            await self._reader.readexactly(int(length[1]))
        return int(answer[9:12])


class _Socket(asyncio.Protocol):
    """A connected client that waits for its end."""

    def __init__(self, token: str) -> None:
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[float] = loop.create_future()
        """When the close frame came."""
        self.code = b""
        self._token = token
        self._transport: asyncio.Transport

    @classmethod
    async def connected(cls, port: int, token: str) -> Self:
        """A socket whose connect was answered."""
        _, made = await asyncio.get_running_loop().create_connection(lambda: cls(token), "127.0.0.1", port)
        async with asyncio.timeout(_SECONDS):
            await made.answered
        return made

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_UPGRADE)

    @override
    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 101"):
            self._connect()
        elif data[0] == _CLOSE:
            self.code = data[2:4]
            self.closed.set_result(time.perf_counter())
            self._transport.close()
        elif data == _PING:
            self._transport.write(_PONG)
        elif not self.answered.done():
            self.answered.set_result(None)

    def _connect(self) -> None:
        command = json.dumps({"id": 1, "connect": {"token": self._token}}).encode()
        length = len(command)  # of an API key's it fits into the frame's second byte
        size = bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        self._transport.write(b"\x81" + size + bytes(4) + command)


def _figures(tally: _Tally) -> Fields:
    return {"revocation_p99_ms": _ms(tally.refused, 0.99), "socket_close_p99_ms": _ms(tally.closed, 0.99)}


def _report(quiet: _Tally, busy: _Tally, keys: _Tally, load: Sequence[list[Fields]]) -> Fields:
    unexpected = sum(one["unexpected"] for rounds in load for one in rounds)
    return {
        "faults": quiet.faults + busy.faults + keys.faults + unexpected,
        "busy": _spread(busy, "logout"),
        "quiet": _spread(quiet, "logout"),
        "keys": _spread(keys, "delete"),
        "load": [medians(rounds, ("calls_per_s", "p50_ms", "p99_ms")) for rounds in load],
    }


def _spread(tally: _Tally, request: str) -> Fields:
    times = {"revocation": tally.refused, "socket_close": tally.closed, request: tally.ended}
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    figures = {
        f"{what}_{name}_ms": _ms(found, share)
        for what, found in times.items()
        for name, share in shares.items()
    }
    return {f"{request}s": len(tally.ended), **figures}


def _ms(times: Sequence[float], share: float) -> float:
    return rounded(sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1e3)


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
