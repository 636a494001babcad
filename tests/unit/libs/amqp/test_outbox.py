import pytest

from libs.amqp import ConnectionLost
from libs.amqp.outbox import ClosedOutbox, Outbox


class Turns:
    """Counts what an outbox asks its transport for."""

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
    outbox = Outbox(turns.schedule, turns.flush)

    outbox.write(b"a")
    outbox.defer(Late())
    outbox.write(b"b")

    assert turns.scheduled == 1
    assert outbox.take() == b"ablate"
    assert outbox.take() == b""


def test_the_next_turn_is_scheduled_anew() -> None:
    turns = Turns()
    outbox = Outbox(turns.schedule, turns.flush)
    outbox.defer(Late())
    outbox.take()

    outbox.write(b"a")

    assert turns.scheduled == 2
    assert outbox.take() == b"a"


def test_a_turn_without_end_is_flushed_in_between() -> None:
    turns = Turns()
    pieces: list[bytes] = []
    outbox = Outbox(turns.schedule, lambda: pieces.append(outbox.take()))

    for _ in range(40):
        outbox.write(b"x")

    assert b"".join((*pieces, outbox.take())) == b"x" * 40
    assert len(pieces) == 2
    assert turns.scheduled == 1


def test_a_closed_outbox_refuses_publications_and_swallows_the_rest() -> None:
    outbox = ClosedOutbox(ConnectionLost("gone"))

    outbox.write(b"a")
    outbox.defer(Late())

    assert outbox.take() == b""
    assert outbox.obstacle is not None
    with pytest.raises(ConnectionLost, match="gone"):
        raise outbox.obstacle()
    assert outbox.obstacle() is not outbox.obstacle()
