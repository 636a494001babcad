"""Calls of clients: only what is open to them, under their own name."""

import pytest
from typing_extensions import override

from libs.messaging import (
    AUTHENTICATED,
    PUBLIC,
    AnyOperation,
    AppError,
    Caller,
    Empty,
    Identity,
    Interrupted,
    Operation,
    Overloaded,
    Reply,
    TimedOut,
    Unavailable,
    UnknownOperation,
    Unreadable,
    scope,
)
from libs.messaging.memory import MemoryBus
from libs.realtime.codes import INTERNAL, TOO_MANY_REQUESTS, Error, Refused
from libs.realtime.operations import OperationRpc
from libs.realtime.refusals import refusal

ANN = Caller(Identity("ann", "s1", "notes:read"))
NOBODY = Caller()


class Note(Reply):
    """What the operations of these tests answer."""

    text: str = ""


def operation(name: str, access: object = AUTHENTICATED, *, websocket: bool = True) -> AnyOperation:
    return Operation(name, Empty, Note, access=access, websocket=websocket)  # type: ignore[arg-type]


OPERATIONS = (
    operation("notes.mine"),
    operation("notes.all", PUBLIC),
    operation("notes.read", scope("notes:read")),
    operation("notes.write", scope("notes:write")),
    operation("notes.hidden", websocket=False),
)


class Answering(MemoryBus):
    """A bus on which every operation answers at once."""

    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self.reply = reply
        self.asked: list[tuple[str, bytes]] = []

    @override
    async def forward(self, operation: AnyOperation, body: bytes, caller: Caller) -> bytes:
        self.asked.append((operation.name, body))
        return self.reply


async def test_the_data_is_the_request_and_the_reply_is_passed_on() -> None:
    bus = Answering(b'{"text":"x"}\n')
    rpc = OperationRpc(bus, OPERATIONS)

    assert await rpc("notes.mine", b'{"a":1}', ANN) == b'{"text":"x"}'
    await rpc("notes.mine", b"", ANN)

    assert bus.asked == [("notes.mine", b'{"a":1}'), ("notes.mine", b"{}")]


@pytest.mark.parametrize("method", ["notes.hidden", "notes.unknown", ""])
async def test_what_is_not_open_to_clients_is_not_available(method: str) -> None:
    with pytest.raises(Refused) as refused:
        await OperationRpc(Answering(b"{}"), OPERATIONS)(method, b"", ANN)

    assert refused.value.error.code == 108


@pytest.mark.parametrize(
    ("method", "caller", "allowed"),
    [
        ("notes.all", NOBODY, True),
        ("notes.mine", NOBODY, False),
        ("notes.read", ANN, True),
        ("notes.write", ANN, False),
        ("notes.read", NOBODY, False),
    ],
)
async def test_a_call_needs_what_the_contract_asks(method: str, caller: Caller, allowed: bool) -> None:
    rpc = OperationRpc(Answering(b"{}"), OPERATIONS)

    if allowed:
        assert await rpc(method, b"", caller) == b"{}"
    else:
        with pytest.raises(Refused) as refused:
            await rpc(method, b"", caller)
        assert refused.value.error.code == 103


async def test_a_reply_that_is_no_json_is_not_passed_on() -> None:
    with pytest.raises(Unreadable):
        await OperationRpc(Answering(b"oops\n"), OPERATIONS)("notes.mine", b"", ANN)


class Taken(AppError):
    """The name is taken."""

    code = "tests.taken"
    status = 409
    title = "The name is taken"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable(), INTERNAL),
        (TimedOut(), INTERNAL),
        (Overloaded(), TOO_MANY_REQUESTS),
        (UnknownOperation(), Error(104, "method not found")),
        (Interrupted(), Error(502, "rpc.interrupted")),
        (Taken("secret detail"), Error(409, "tests.taken")),
    ],
)
def test_errors_of_services_keep_status_and_code(error: AppError, told: Error) -> None:
    assert refusal(error) == told
