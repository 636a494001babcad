"""A client of a session, without sockets: what it sends and what it is told, as JSON."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from libs.domain.auth import SessionEnded, TokenExpired, TokenInvalid
from libs.messaging import Caller, Client, Identity, Unavailable
from libs.realtime import Log, MemoryLog, Namespace, RealtimeSettings
from libs.realtime.codes import Disconnect
from libs.realtime.commands import HANDLERS
from libs.realtime.connection import Connection
from libs.realtime.credentials import Credentials
from libs.realtime.formats import JSON_MESSAGES
from libs.realtime.node import Node
from libs.realtime.ports import Presence
from libs.realtime.session import Session
from libs.realtime.tokens import SharedSecret

NAMESPACES = {
    "public": Namespace(
        subscribe=frozenset({"authenticated"}), history_size=5, history_seconds=60, recovery=True
    ),
    "user": Namespace(
        subscribe=frozenset({"owner"}), personal=True, history_size=5, history_seconds=60, recovery=True
    ),
    "room": Namespace(
        subscribe=frozenset({"authenticated"}),
        publish="subscribers",
        history_size=5,
        history_seconds=60,
        recovery=True,
        presence=True,
        join_leave=True,
    ),
    "lobby": Namespace(
        publish="clients",
        history_size=5,
        history_seconds=60,
        read_history="clients",
        presence=True,
        read_presence="clients",
    ),
    "live": Namespace(subscribe=frozenset({"authenticated"}), publish="subscribers"),
    "closed": Namespace(history_size=5, history_seconds=60, read_history="nobody"),
}

_PAUSES = [0.0] * 100 + [0.01] * 3000  # s; what a session does at once takes a few turns of the loop


@dataclass(frozen=True)
class Token:
    """What a token of these tests says."""

    identity: Identity
    expires: int
    key: str = "the key of these tests"


async def verify(token: str) -> Token:
    """`account/session` is good for an hour, `account/session/seconds` for that long."""
    await asyncio.sleep(0)
    account, *rest = token.split("/")
    match account, rest:
        case "expired", _:
            raise TokenExpired
        case "ended", _:
            raise SessionEnded
        case "away", _:
            raise Unavailable
        case _, [sid]:
            return Token(Identity(account, sid), int(time.time() + 3600))
        case _, [sid, seconds]:
            return Token(Identity(account, sid), int(time.time() + int(seconds)))
        case _:
            raise TokenInvalid


async def echo(method: str, data: bytes, caller: Caller) -> bytes:
    """Operations that answer with what they were asked; `slow` takes its time."""
    if method == "slow":
        await asyncio.sleep(3600)
    return data or b"null"


class FakeConnection(Connection):
    """Remembers what was written."""

    def __init__(self) -> None:
        self.format = JSON_MESSAGES
        self.due: list[bytes] = []
        self.writes: list[bytes] = []
        self.write: Callable[[bytes], object] = self.writes.append
        self.closed: Disconnect | None = None
        self.paused = False

    @override
    def close(self, disconnect: Disconnect) -> None:
        self.closed = disconnect

    @override
    def abort(self) -> None:
        self.closed = Disconnect(1006, "aborted")

    @override
    def pause(self) -> None:
        self.paused = True

    @override
    def resume(self) -> None:
        self.paused = False


class FakeClient:
    """One client of a node."""

    def __init__(self, node: Node) -> None:
        self.connection = FakeConnection()
        self.session = Session(node, self.connection, Client("192.0.2.1", "tests"), HANDLERS)
        node.open(self.session)
        self._ids = 0

    @property
    def closed(self) -> Disconnect | None:
        """How the server closed the connection."""
        return self.connection.closed

    def send(self, *commands: Mapping[str, Any]) -> None:
        """Send commands in one frame, as they are."""
        self.session.receive("\n".join(json.dumps(one) for one in commands).encode())

    async def ask(self, **request: Any) -> Any:
        """Send one command and wait for its answer: the result, or the whole reply where it is an error."""
        self._ids += 1
        self.send({"id": self._ids, **request})
        reply = await self.reply(self._ids)
        return reply if "error" in reply else reply[next(iter(request))]

    async def reply(self, command_id: int) -> Any:
        """The answer to a command."""
        for pause in _PAUSES:
            for message in self.messages():
                if message.get("id") == command_id:
                    return message
            await asyncio.sleep(pause)
        raise AssertionError(f"no reply to {command_id}; closed: {self.closed}; got {self.messages()}")

    async def error(self, **request: Any) -> tuple[int, str]:
        """The error that answers a command."""
        reply = await self.ask(**request)
        return reply["error"]["code"], reply["error"]["message"]

    async def until_closed(self) -> tuple[int, str]:
        """How the server closes the connection."""
        for pause in _PAUSES:
            if self.closed is not None:
                return self.closed.code, self.closed.reason
            await asyncio.sleep(pause)
        raise AssertionError(f"not closed; got {self.messages()}")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of what was received."""
        for pause in _PAUSES:
            if condition():
                return
            await asyncio.sleep(pause)
        raise AssertionError(f"it never was; got {self.messages()}")

    def messages(self) -> list[Any]:
        """Everything that was received so far, pings too."""
        return [json.loads(line) for frame in self.connection.writes for line in frame.split(b"\n")]

    def pushes(self) -> list[Any]:
        """What was pushed so far."""
        return [message["push"] for message in self.messages() if "push" in message]

    def publications(self) -> list[Any]:
        """The data of the publications so far."""
        return [push["pub"]["data"] for push in self.pushes() if "pub" in push]

    async def connect(self, token: str = "ann/s1", **request: Any) -> Any:
        """Connect, and the result."""
        return await self.ask(connect={"token": token, **request})


def new_node(
    *,
    log: Log | None = None,
    secret: SharedSecret | None = None,
    anonymous: bool = False,
    presence: Presence | None = None,
    rpc: Any = echo,
    catch_up: float = 30.0,
    **settings: Any,
) -> Node:
    """A node on a log in memory; ``settings`` over those of these tests."""
    return Node(
        RealtimeSettings(**{"namespaces": NAMESPACES, **settings}),
        log=log or MemoryLog(),
        credentials=Credentials(verify, secret=secret, anonymous=anonymous),
        rpc=rpc,
        presence=presence,
        catch_up=catch_up,
    )
