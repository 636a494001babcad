import pytest

from libs.amqp import ConnectionLost
from libs.amqp.outgoing import ClosedOutgoing, Outgoing


class Turns:
    """Counts what the transport is asked for."""

    def __init__(self) -> None:
        self.scheduled = 0
        self.flushed = 0

    def schedule(self) -> None:
        self.scheduled += 1

    def flush(self) -> None:
        self.flushed += 1


class Late:
    def frames(self) -> bytes:
        return b"late"


def test_what_one_turn_writes_is_one_piece() -> None:
    turns = Turns()
    outgoing = Outgoing(turns.schedule, turns.flush)

    outgoing.write(b"a")
    outgoing.defer(Late())
    outgoing.write(b"b")

    assert turns.scheduled == 1
    assert outgoing.take() == b"ablate"
    assert outgoing.take() == b""


def test_the_next_turn_is_scheduled_anew() -> None:
    turns = Turns()
    outgoing = Outgoing(turns.schedule, turns.flush)
    outgoing.defer(Late())
    outgoing.take()

    outgoing.write(b"a")

    assert turns.scheduled == 2
    assert outgoing.take() == b"a"


def test_a_turn_without_end_is_flushed_in_between() -> None:
    turns = Turns()
    pieces: list[bytes] = []
    outgoing = Outgoing(turns.schedule, lambda: pieces.append(outgoing.take()))

    for _ in range(40):
        outgoing.write(b"x")

    assert b"".join((*pieces, outgoing.take())) == b"x" * 40
    assert len(pieces) == 2
    assert turns.scheduled == 1


def test_a_closed_outgoing_refuses_publications_and_swallows_the_rest() -> None:
    outgoing = ClosedOutgoing(ConnectionLost("gone"))

    outgoing.write(b"a")
    outgoing.defer(Late())

    assert outgoing.take() == b""
    assert outgoing.obstacle is not None
    with pytest.raises(ConnectionLost, match="gone"):
        raise outgoing.obstacle()
    assert outgoing.obstacle() is not outgoing.obstacle()
