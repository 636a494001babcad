import logging

import pytest
from pamqp import commands
from pamqp.base import Frame

from libs.amqp import (
    AmqpError,
    Blocked,
    ChannelInterrupted,
    ConnectionLost,
    Delivery,
    NotFound,
    PreconditionFailed,
    ProtocolError,
    Returned,
)
from libs.amqp.calls import nothing
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.frames import publish_frame
from libs.amqp.methods import Method
from libs.amqp.properties import Properties
from libs.amqp.subscription import Subscription
from tests.unit.libs.amqp import wire_book
from tests.unit.libs.amqp.broker import Line

Basic, Queue = commands.Basic, commands.Queue


def _channel(*, confirming: bool = False) -> ChannelProtocol:
    return ChannelProtocol(3, prefetch=10, confirming=confirming)


def _open(channel: ChannelProtocol, *, answers_cancel: bool = False) -> Line:
    line = Line(channel, answers_cancel=answers_cancel)
    line.answers()
    return line


class Calls:
    """Makes calls and collects what becomes of them."""

    def __init__(self, channel: ChannelProtocol) -> None:
        self._channel = channel
        self.ends: dict[str, Method | AmqpError | None] = {}

    def declare(self, queue: str) -> None:
        def resolve(method: Method | None, error: AmqpError | None) -> None:
            assert queue not in self.ends
            self.ends[queue] = error or method

        self._channel.call(Queue.Declare, Queue.DeclareOk, resolve, queue=queue)

    def subscribe(self, queue: str, **options: object) -> tuple[Subscription, list[Delivery]]:
        deliveries: list[Delivery] = []
        subscription = Subscription(tag=f"tag-{queue}", queue=queue, callback=deliveries.append, **options)  # type: ignore[arg-type]  # options of a test

        def resolve(method: Method | None, error: AmqpError | None) -> None:
            self.ends[subscription.tag] = error or method

        self._channel.subscribe(subscription, resolve)
        return subscription, deliveries


class Publications:
    def __init__(self, channel: ChannelProtocol) -> None:
        self._channel = channel
        self.ends: list[AmqpError | None] = []

    def publish(self, exchange: str = "", body: bytes = b"body") -> None:
        frame = publish_frame(3, exchange, "key", mandatory=True)
        self._channel.publish(frame, 0, b"", body, self.ends.append)


class TestOpening:
    def test_it_asks_for_all_it_needs_in_one_go(self) -> None:
        line = Line(_channel(confirming=True))

        assert line.answers() == ["Channel.Open", "Confirm.Select"]
        assert len(line.ready) == 1

    def test_a_publication_before_it_is_refused(self) -> None:
        with pytest.raises(ConnectionLost):
            Publications(_channel()).publish()

    def test_a_call_before_it_fails_at_once(self) -> None:
        channel = _channel()
        calls = Calls(channel)

        calls.declare("q")

        assert isinstance(calls.ends["q"], ConnectionLost)


class TestCalls:
    def test_each_answer_goes_to_its_call(self) -> None:
        channel = _channel()
        line = _open(channel)
        calls = Calls(channel)
        for queue in ("a", "b", "c"):
            calls.declare(queue)

        line.says(Queue.DeclareOk("a", 1, 0), Queue.DeclareOk("b", 2, 0))

        assert {name: end.queue for name, end in calls.ends.items()} == {"a": "a", "b": "b"}  # type: ignore[union-attr]  # both are answers

    def test_a_queue_may_answer_its_consumer_late(self) -> None:
        channel = _channel()
        line = _open(channel)
        calls = Calls(channel)
        calls.subscribe("slow")
        calls.declare("q")

        line.says(Basic.QosOk(), Queue.DeclareOk("q", 0, 0), Basic.ConsumeOk("tag-slow"))

        assert {name: type(end) for name, end in calls.ends.items()} == {
            "q": Queue.DeclareOk,
            "tag-slow": Basic.ConsumeOk,
        }

    @pytest.mark.parametrize("method", [Queue.BindOk(), Basic.ConsumeOk("nobody")])
    def test_an_answer_to_nothing_is_a_broken_rule(self, method: Frame) -> None:
        channel = _channel()
        line = _open(channel)
        Calls(channel).declare("q")

        with pytest.raises(ProtocolError) as refusal:
            line.says(method)

        assert refusal.value.code == 503


class TestRefusals:
    def test_only_the_wrong_call_fails_and_those_behind_it_are_sent_again(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        calls = Calls(channel)
        for queue in ("before", "wrong", "after"):
            calls.declare(queue)
        line.sent()

        line.says(Queue.DeclareOk("before", 0, 0))
        line.closes(406, "PRECONDITION_FAILED - inequivalent arg", Queue.Declare)

        refused = calls.ends["wrong"]
        assert isinstance(refused, PreconditionFailed)
        assert refused.text == "PRECONDITION_FAILED - inequivalent arg"
        assert line.answers() == ["Channel.CloseOk", "Channel.Open", "Confirm.Select", "Queue.Declare"]
        assert isinstance(calls.ends["before"], Queue.DeclareOk)
        assert isinstance(calls.ends["after"], Queue.DeclareOk)

    def test_consumers_come_back_with_their_prefetch(self) -> None:
        channel = _channel()
        line = _open(channel)
        calls = Calls(channel)
        calls.subscribe("own", prefetch=7)
        calls.subscribe("default")
        line.answers()
        calls.declare("wrong")
        line.sent()

        line.closes(404, "NOT_FOUND", Queue.Declare)

        sent = line.sent()
        assert [method.name for method in sent[2:]] == ["Basic.Qos", "Basic.Consume"] * 2
        assert [method.prefetch_count for method in sent if isinstance(method, Basic.Qos)] == [7, 10]
        assert [method.queue for method in sent if isinstance(method, Basic.Consume)] == ["own", "default"]

    def test_of_two_consumers_under_way_the_one_that_is_named_fails(self) -> None:
        channel = _channel()
        line = _open(channel)
        calls = Calls(channel)
        calls.subscribe("good")
        calls.subscribe("bad")
        line.sent()

        line.closes(404, "NOT_FOUND - no queue 'bad' in vhost '/'", Basic.Consume)
        line.answers()

        assert isinstance(calls.ends["tag-bad"], NotFound)
        assert isinstance(calls.ends["tag-good"], Basic.ConsumeOk)

    def test_a_consumer_that_cannot_be_restored_is_lost_alone(self) -> None:
        channel = _channel()
        lost: list[tuple[str, AmqpError]] = []
        channel.on_lost = lambda subscription, error: lost.append((subscription.queue, error))
        line = _open(channel)
        calls = Calls(channel)
        calls.subscribe("gone")
        calls.subscribe("stays")
        line.answers()
        line = Line(channel)
        line.sent()

        line.says(commands.Channel.OpenOk(), Basic.QosOk())
        line.closes(404, "NOT_FOUND - no queue 'gone' in vhost '/'", Basic.Consume)
        names = line.answers()

        assert [queue for queue, _ in lost] == ["gone"]
        assert names.count("Basic.Consume") == 1
        assert len(line.ready) == 1

    def test_a_channel_that_is_closed_for_no_reason_again_and_again_is_not_reopened_for_ever(self) -> None:
        channel = _channel()
        lost: list[Subscription] = []
        channel.on_lost = lambda subscription, _: lost.append(subscription)
        line = _open(channel)
        calls = Calls(channel)
        subscription, _ = calls.subscribe("q")
        line.answers()
        calls.declare("waiting")

        for _ in range(5):
            line.closes(406, "PRECONDITION_FAILED - for no reason")

        assert lost == [subscription]
        assert isinstance(calls.ends["waiting"], PreconditionFailed)

    def test_a_close_that_no_call_explains_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        channel = _channel()
        line = _open(channel)

        with caplog.at_level(logging.ERROR):
            line.closes(406, "PRECONDITION_FAILED - delivery acknowledgement timed out")

        assert "acknowledgement timed out" in caplog.text
        assert line.names() == ["Channel.CloseOk", "Channel.Open"]


class TestPublishing:
    def test_a_refused_publication_fails_alone_and_the_rest_is_told_it_was_interrupted(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        publications = Publications(channel)
        publications.publish()
        publications.publish("missing")

        line.closes(404, "NOT_FOUND - no exchange 'missing' in vhost '/'", Basic.Publish)

        first, second = publications.ends
        assert isinstance(first, ChannelInterrupted)
        assert isinstance(second, NotFound)

    def test_who_waits_for_confirms_learns_that_the_channel_was_closed(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        Publications(channel).publish("missing")
        unconfirmed: list[int] = []
        channel.on_confirmed = lambda: unconfirmed.append(len(channel.confirms or ()))

        line.closes(404, "NOT_FOUND - no exchange 'missing' in vhost '/'", Basic.Publish)

        assert unconfirmed == [0]

    def test_the_reopened_channel_counts_its_confirms_anew(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        publications = Publications(channel)
        publications.publish("missing")
        line.closes(404, "NOT_FOUND - no exchange 'missing' in vhost '/'", Basic.Publish)
        line.answers()

        publications.publish()
        line.says(Basic.Ack(1))

        assert publications.ends[1] is None

    def test_an_outcome_cannot_be_asked_for_without_confirms(self) -> None:
        channel = _channel()
        line = _open(channel)

        with pytest.raises(ValueError, match="no confirms"):
            Publications(channel).publish()
        assert line.sent() == []

    def test_an_obstacle_refuses_publications(self) -> None:
        channel = _channel()
        line = _open(channel)
        line.outgoing.obstacle = lambda: Blocked("low on memory")

        with pytest.raises(Blocked, match="memory"):
            Publications(channel).publish()
        assert line.sent() == []

    def test_a_return_on_a_channel_without_confirms_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        channel = _channel()
        line = _open(channel)
        returned = wire_book.method(3, Basic.Return(312, "NO_ROUTE", "", "key"))

        line.hears(returned + wire_book.content(3, Properties(), b"body"))

        assert "NO_ROUTE" in caplog.text

    def test_a_return_fails_the_publication(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        publications = Publications(channel)
        publications.publish(body=b"one")
        publications.publish(body=b"two")
        returned = wire_book.method(3, Basic.Return(312, "NO_ROUTE", "", "key"))

        line.hears(returned + wire_book.content(3, Properties(), b"two"))
        line.says(Basic.Ack(2, True))

        ends = publications.ends
        assert isinstance(ends[0], Returned)
        assert ends[1] is None


class TestConsuming:
    def test_deliveries_reach_the_callback_and_are_acked_together(self) -> None:
        channel = _channel()
        line = _open(channel)
        _, deliveries = Calls(channel).subscribe("q")
        line.answers()

        line.hears(b"".join(wire_book.deliver(3, tag, b"%d" % tag, consumer="tag-q") for tag in (1, 2, 3)))
        for delivery in deliveries:
            delivery.ack()

        assert [delivery.body for delivery in deliveries] == [b"1", b"2", b"3"]
        (ack,) = line.sent()
        assert isinstance(ack, Basic.Ack)
        assert (ack.delivery_tag, ack.multiple) == (3, True)

    def test_a_failing_callback_is_logged_and_its_delivery_stays_unacked(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        channel = _channel()
        line = _open(channel)

        def fail(_: Delivery) -> None:
            raise RuntimeError("on purpose")

        channel.subscribe(Subscription(tag="c", queue="q", callback=fail), nothing)
        line.answers()

        line.hears(wire_book.deliver(3, 1))

        assert "on purpose" in caplog.text
        assert line.sent() == []

    def test_without_acks_the_tags_of_others_stay_right(self) -> None:
        channel = _channel()
        line = _open(channel)
        calls = Calls(channel)
        calls.subscribe("free", no_ack=True)
        _, deliveries = calls.subscribe("q")
        line.answers()

        line.hears(wire_book.deliver(3, 1, consumer="tag-free") + wire_book.deliver(3, 2, consumer="tag-q"))
        deliveries[0].ack()

        (ack,) = line.sent()
        assert isinstance(ack, Basic.Ack)
        assert ack.delivery_tag == 2

    def test_the_brokers_cancel_loses_that_consumer(self) -> None:
        channel = _channel()
        lost: list[Subscription] = []
        channel.on_lost = lambda subscription, _: lost.append(subscription)
        line = _open(channel)
        subscription, _ = Calls(channel).subscribe("q")
        line.answers()

        line.says(Basic.Cancel("tag-q", True))

        assert lost == [subscription]
        assert line.sent() == []

    def test_a_broker_that_waits_for_it_gets_its_cancel_answered(self) -> None:
        channel = _channel()
        line = _open(channel, answers_cancel=True)
        Calls(channel).subscribe("q")
        line.answers()

        line.says(Basic.Cancel("tag-q", True))

        (answer,) = line.sent()
        assert isinstance(answer, Basic.CancelOk)
        assert answer.consumer_tag == "tag-q"

    def test_arguments_are_made_anew_at_every_restore(self) -> None:
        channel = _channel()
        line = _open(channel)
        offset = 5
        Calls(channel).subscribe("q", arguments=lambda: {"x-stream-offset": offset})
        line.answers()

        offset = 17
        line.closes(406, "PRECONDITION_FAILED")

        (consume,) = [method for method in line.sent() if isinstance(method, Basic.Consume)]
        assert consume.arguments == {"x-stream-offset": 17}

    def test_arguments_that_cannot_be_made_lose_only_their_consumer(self) -> None:
        channel = _channel()
        lost: list[str] = []
        channel.on_lost = lambda subscription, _: lost.append(subscription.queue)
        line = _open(channel)
        arguments = iter([dict[str, object]()])
        calls = Calls(channel)
        calls.subscribe("broken", arguments=lambda: next(arguments))
        calls.subscribe("fine")
        line.answers()

        line.closes(406, "PRECONDITION_FAILED")

        assert lost == ["broken"]
        assert [method.queue for method in line.sent() if isinstance(method, Basic.Consume)] == ["fine"]

    def test_a_delivery_that_makes_no_sense_is_a_broken_rule(self) -> None:
        channel = _channel()
        line = _open(channel)
        broken = b"\x01\x00\x03\x00\x00\x00\x06\x00\x3c\x00\x3c\x01c\xce"

        with pytest.raises(ProtocolError) as refusal:
            line.hears(broken + wire_book.content(3, Properties(), b""))

        assert refusal.value.code == 502


class TestTheLossOfTheLine:
    def test_everything_under_way_fails_with_an_error_of_its_own(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        calls = Calls(channel)
        calls.declare("q")
        publications = Publications(channel)
        publications.publish()
        publications.publish()

        channel.detach(ConnectionLost("gone"))

        ends = [calls.ends["q"], *publications.ends]
        assert all(isinstance(end, ConnectionLost) for end in ends)
        assert len({id(end) for end in ends}) == 3
        assert line.ready != []

    def test_acks_of_the_old_line_are_not_sent_on_the_new_one(self) -> None:
        channel = _channel()
        line = _open(channel)
        _, deliveries = Calls(channel).subscribe("q")
        line.answers()
        line.hears(wire_book.deliver(3, 1, consumer="tag-q"))
        channel.detach(ConnectionLost("gone"))
        line = _open(channel)

        deliveries[0].ack()

        assert line.sent() == []

    def test_the_next_line_brings_consumers_back(self) -> None:
        channel = _channel(confirming=True)
        line = _open(channel)
        Calls(channel).subscribe("q")
        line.answers()
        channel.detach(ConnectionLost("gone"))

        line = Line(channel)

        assert line.answers() == ["Channel.Open", "Confirm.Select", "Basic.Qos", "Basic.Consume"]
        assert len(line.ready) == 1

    def test_a_consumer_whose_restore_it_interrupts_is_restored_on_the_next_one(self) -> None:
        channel = _channel()
        lost: list[Subscription] = []
        channel.on_lost = lambda subscription, _: lost.append(subscription)
        line = _open(channel)
        Calls(channel).subscribe("q")
        line.answers()
        line.closes(406, "PRECONDITION_FAILED")
        channel.detach(ConnectionLost("gone"))

        assert "Basic.Consume" in Line(channel).answers()
        assert lost == []

    def test_a_cancelled_consumer_stays_away(self) -> None:
        channel = _channel()
        line = _open(channel)
        subscription, _ = Calls(channel).subscribe("q")
        line.answers()
        channel.unsubscribe(subscription, nothing)
        channel.detach(ConnectionLost("gone"))

        assert Line(channel).answers() == ["Channel.Open"]


def test_closing_sends_the_acks_that_are_due_first() -> None:
    channel = _channel()
    line = _open(channel)
    _, deliveries = Calls(channel).subscribe("q")
    line.answers()
    line.hears(wire_book.deliver(3, 1, consumer="tag-q"))
    deliveries[0].ack()

    channel.close(nothing)

    assert line.names() == ["Basic.Ack", "Channel.Close"]
