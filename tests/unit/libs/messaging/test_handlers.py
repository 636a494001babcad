"""A table takes each contract once, and only its own."""

import pytest

from libs.messaging import Caller, Empty, Event, Handlers, Lane, Listeners, Operation

PING = Operation("hall.ping", Empty, Empty)
SCRUB = Operation("hall.scrub", Empty, Empty, lane="slow")
OTHER = Operation("cellar.ping", Empty, Empty)


async def pong(request: Empty, caller: Caller) -> Empty:
    return Empty()


async def heard(payload: Empty) -> None:
    """Hear it."""


def test_a_second_handler_is_refused() -> None:
    table = Handlers("hall")
    table.on(PING, pong)

    with pytest.raises(ValueError, match="has a handler already"):
        table.on(PING, pong)


def test_anothers_operation_is_refused() -> None:
    with pytest.raises(ValueError, match="not an operation of hall"):
        Handlers("hall").on(OTHER, pong)


def test_a_lane_needs_a_size() -> None:
    with pytest.raises(ValueError, match="'slow'"):
        Handlers("hall").on(SCRUB, pong)


def test_an_operation_waits_in_its_lane() -> None:
    table = Handlers("hall", lanes={"slow": Lane(slots=1)})
    table.on(PING, pong)
    table.on(SCRUB, pong)

    assert (table.in_lane(""), table.in_lane("slow")) == ([PING], [SCRUB])


def test_a_lane_is_not_a_former_one() -> None:
    with pytest.raises(ValueError, match="former"):
        Handlers("hall", lanes={"slow": Lane()}, former_lanes={"slow"})


def test_a_client_facing_event_has_no_listener() -> None:
    with pytest.raises(ValueError, match="clients"):
        Listeners("hall").on(Event("realtime.hall.said", Empty), heard)


def test_a_second_listener_is_refused() -> None:
    listeners = Listeners("hall")
    listeners.on(Event("hall.opened", Empty), heard)

    with pytest.raises(ValueError, match="has a listener already"):
        listeners.on(Event("hall.opened", Empty), heard)
