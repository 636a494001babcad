from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands

from libs.amqp.acks import Acks
from libs.amqp.outgoing import Outgoing
from tests.unit.libs.amqp.wire_book import sent


class Broker:
    """RabbitMQ's rule: an ack names an unsettled delivery; `multiple` takes with it all before it."""

    def __init__(self, deliveries: int, without_ack: set[int]) -> None:
        self.unsettled = [tag for tag in range(1, deliveries + 1) if tag not in without_ack]
        self.acked: set[int] = set()
        self.requeued: set[int] = set()

    def read(self, data: bytes) -> None:
        for _, command in sent(data):
            match command:
                case commands.Basic.Ack():
                    self._ack(command.delivery_tag or 0, multiple=command.multiple)
                case commands.Basic.Nack() | commands.Basic.Reject():
                    self.unsettled.remove(
                        command.delivery_tag or 0
                    )  # ValueError: the channel would be closed
                    self.requeued.add(command.delivery_tag or 0)
                case _:
                    raise AssertionError(command)

    def _ack(self, tag: int, *, multiple: bool) -> None:
        assert tag in self.unsettled, "the broker would close the channel: unknown delivery tag"
        taken = {each for each in self.unsettled if each == tag or (multiple and each < tag)}
        self.acked |= taken
        self.unsettled = [each for each in self.unsettled if each not in taken]


def _outgoing() -> Outgoing:
    return Outgoing(_nothing, _nothing)


def _nothing() -> None:
    pass


@given(st.data())
def test_the_broker_learns_exactly_what_was_settled(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30), "deliveries")
    without_ack = data.draw(st.sets(st.integers(1, count), max_size=5), "no ack wanted")
    outgoing = _outgoing()
    acks = Acks(1, outgoing)
    broker = Broker(count, without_ack)
    settle: dict[str, Callable[[int], None]] = {
        "ack": acks.ack,
        "nack": lambda tag: acks.nack(tag, requeue=True),
        "reject": lambda tag: acks.reject(tag, requeue=False),
    }
    for tag in without_ack:
        acks.skip(tag)
    acked: set[int] = set()
    refused: set[int] = set()

    for tag in data.draw(st.permutations(broker.unsettled), "order"):
        if data.draw(st.integers(0, 9)) == 0:
            continue  # this one is still being worked on
        how = data.draw(st.sampled_from(["ack", "ack", "ack", "nack", "reject"]))
        settle[how](tag)
        (acked if how == "ack" else refused).add(tag)
        if data.draw(st.booleans()):
            broker.read(outgoing.take())
            assert broker.acked == acked
    broker.read(outgoing.take())

    assert (broker.acked, broker.requeued) == (acked, refused)
    assert set(broker.unsettled) == set(range(1, count + 1)) - without_ack - acked - refused


def test_contiguous_acks_of_one_turn_are_one_frame() -> None:
    outgoing = _outgoing()
    acks = Acks(1, outgoing)

    for tag in range(1, 101):
        acks.ack(tag)

    ((_, ack),) = sent(outgoing.take())
    assert isinstance(ack, commands.Basic.Ack)
    assert (ack.delivery_tag, ack.multiple) == (100, True)


def test_an_ack_is_not_held_back_by_an_earlier_delivery_that_is_still_worked_on() -> None:
    outgoing = _outgoing()
    acks = Acks(1, outgoing)

    acks.ack(3)
    acks.ack(2)

    assert [(ack.delivery_tag, ack.multiple) for _, ack in sent(outgoing.take())] == [(3, False), (2, False)]  # type: ignore[union-attr]  # read from the wire


def test_a_retired_channel_is_told_nothing() -> None:
    outgoing = _outgoing()
    acks = Acks(1, outgoing)
    acks.ack(1)

    acks.retire()
    acks.ack(2)
    acks.nack(3, requeue=True)
    acks.reject(4, requeue=True)

    assert outgoing.take() == b""
