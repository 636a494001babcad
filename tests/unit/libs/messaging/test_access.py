from __future__ import annotations

import pytest

from libs.messaging import (
    AUTHENTICATED,
    PUBLIC,
    SERVICES,
    Access,
    Caller,
    Empty,
    Forbidden,
    Handlers,
    Identity,
    Operation,
    TokenInvalid,
    acting_for,
    permit,
    scope,
)
from libs.messaging.memory import MemoryBus

READ = Operation("notes.read", Empty, Empty)
HELP = Operation("notes.help", Empty, Empty, access=PUBLIC)
CLEAR = Operation("notes.clear", Empty, Empty, access=scope("notes:clear"))


@pytest.mark.parametrize("access", [PUBLIC, SERVICES])
def test_nobody_needs_to_be_known_where_the_contract_asks_for_nobody(access: Access) -> None:
    permit(access, None)


@pytest.mark.parametrize("access", [AUTHENTICATED, scope("notes:clear")])
def test_else_somebody_must_be_known(access: Access) -> None:
    with pytest.raises(TokenInvalid):
        permit(access, None)


@pytest.mark.parametrize("granted", ["", "notes", "notes:clear2 clear", "NOTES:CLEAR"])
def test_a_scope_is_had_as_a_word_or_not_at_all(granted: str) -> None:
    with pytest.raises(Forbidden, match="notes:clear"):
        permit(CLEAR.access, Identity("ann", "s", granted))


@pytest.mark.parametrize("granted", ["notes:clear", "a notes:clear b"])
def test_whoever_has_the_scope_may(granted: str) -> None:
    permit(CLEAR.access, Identity("ann", "s", granted))


async def test_a_service_knows_nobody_who_came_past_the_gateway() -> None:
    heard: list[Caller] = []

    async def read(_request: Empty, caller: Caller) -> Empty:
        heard.append(caller)
        return Empty()

    table = Handlers("notes")
    table.on(READ, read)
    table.on(HELP, read)
    bus = MemoryBus()
    await bus.serve(table)
    with pytest.raises(TokenInvalid):
        await bus.call(READ, Empty())
    assert heard == []
    await bus.call(HELP, Empty())
    with acting_for(Caller(identity=Identity("ann", "s"))):
        await bus.call(READ, Empty())
    assert [one.identity is not None for one in heard] == [False, True]


async def test_a_service_judges_calls_that_came_past_the_gateway() -> None:
    cleared: list[Caller] = []

    async def clear(_request: Empty, caller: Caller) -> Empty:
        cleared.append(caller)
        return Empty()

    table = Handlers("notes")
    table.on(CLEAR, clear)
    bus = MemoryBus()
    await bus.serve(table)
    with pytest.raises(TokenInvalid):
        await bus.call(CLEAR, Empty())
    with acting_for(Caller(identity=Identity("ann", "s", "notes:read"))), pytest.raises(Forbidden):
        await bus.call(CLEAR, Empty())
    assert cleared == []
    with acting_for(Caller(identity=Identity("ann", "s", "notes:clear"))):
        await bus.call(CLEAR, Empty())
    assert len(cleared) == 1
