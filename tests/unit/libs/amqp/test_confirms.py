import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.amqp import (
    AmqpError,
    ChannelInterrupted,
    ConnectionLost,
    Nacked,
    NotFound,
    PreconditionFailed,
    Returned,
)
from libs.amqp.confirms import Confirms, Publication
from libs.amqp.errors import refusal
from libs.amqp.frames import publish_frame
from libs.amqp.properties import Properties, encode_properties

_NONE = Properties()
_NACK = Nacked("refused")


def publication(
    body: bytes = b"", *, exchange: str = "", routing_key: str = "q", properties: Properties = _NONE
) -> Publication:
    return publish_frame(1, exchange, routing_key, mandatory=True), *encode_properties(properties), body


class Outcomes:
    """Collects what publishers are told, by the order of their publishing."""

    def __init__(self, count: int, confirms: Confirms) -> None:
        self.told: dict[int, list[AmqpError | None]] = {number: [] for number in range(1, count + 1)}
        for number in self.told:
            confirms.add(self.told[number].append, publication(b"%d" % number))

    def of(self, kind: type[AmqpError] | None) -> list[int]:
        return [
            number
            for number, told in self.told.items()
            if len(told) == 1 and (type(told[0]) is kind or (kind is None and told[0] is None))
        ]

    @property
    def open(self) -> list[int]:
        return [number for number, told in self.told.items() if not told]


@given(st.data())
def test_each_publication_has_exactly_one_outcome(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    confirms = Confirms()
    outcomes = Outcomes(count, confirms)
    expected: dict[int, type[Nacked] | None] = {}

    while len(expected) < count:
        left = [number for number in range(1, count + 1) if number not in expected]
        tag, multiple = data.draw(st.sampled_from(left)), data.draw(st.booleans())
        error = data.draw(st.sampled_from([None, _NACK]))
        confirms.settle(tag, multiple=multiple, error=error)
        for number in [each for each in left if each == tag or (multiple and each < tag)]:
            expected[number] = type(error) if error else None

    assert len(confirms) == 0
    assert outcomes.of(None) == sorted(number for number, kind in expected.items() if kind is None)
    assert outcomes.of(Nacked) == sorted(number for number, kind in expected.items() if kind is Nacked)


def test_an_ack_of_many_costs_no_more_than_what_waits() -> None:
    confirms = Confirms()
    outcomes = Outcomes(3, confirms)

    confirms.settle(2, multiple=False, error=None)
    confirms.settle(10**15, multiple=True, error=None)  # who counts up to it is not done today

    assert outcomes.of(None) == [1, 2, 3]


class TestReturns:
    def _returned(self, number: int, confirms: Confirms, **different: str) -> None:
        _, flags, fields, body = publication(b"%d" % number)
        confirms.give_back(
            Returned(312, "NO_ROUTE", "", different.get("routing_key", "q")), flags, fields, body
        )

    def test_the_publication_that_came_back_fails_and_its_ack_changes_nothing(self) -> None:
        confirms = Confirms()
        outcomes = Outcomes(3, confirms)

        self._returned(2, confirms)
        confirms.settle(3, multiple=True, error=None)

        assert (outcomes.of(Returned), outcomes.of(None)) == ([2], [1, 3])

    def test_returns_may_come_long_before_one_ack_for_all(self) -> None:
        confirms = Confirms()
        outcomes = Outcomes(500, confirms)

        for number in range(1, 501, 2):
            self._returned(number, confirms)
        confirms.settle(500, multiple=True, error=None)

        assert outcomes.of(Returned) == list(range(1, 501, 2))
        assert outcomes.of(None) == list(range(2, 501, 2))

    def test_of_messages_alike_in_all_but_their_ids_the_right_one_fails(self) -> None:
        confirms = Confirms()
        told: dict[str, list[AmqpError | None]] = {"a": [], "b": []}
        for name, outcome in told.items():
            confirms.add(outcome.append, publication(b"same", properties=Properties(message_id=name)))

        _, flags, fields, body = publication(b"same", properties=Properties(message_id="b"))
        confirms.give_back(Returned(312, "NO_ROUTE", "", "q"), flags, fields, body)

        assert told["a"] == []
        assert isinstance(told["b"][0], Returned)

    def test_messages_alike_in_everything_fail_one_by_one_in_order(self) -> None:
        confirms = Confirms()
        told: list[list[AmqpError | None]] = [[], [], []]
        for outcome in told:
            confirms.add(outcome.append, publication(b"same"))

        for _ in range(2):
            _, flags, fields, body = publication(b"same")
            confirms.give_back(Returned(312, "NO_ROUTE", "", "q"), flags, fields, body)

        assert [len(outcome) for outcome in told] == [1, 1, 0]

    def test_an_empty_message_that_came_back_is_not_mistaken_for_an_earlier_one(self) -> None:
        confirms = Confirms()
        told: list[list[AmqpError | None]] = [[], [], []]
        for outcome, route in zip(told, ("x", "q", "x"), strict=True):
            confirms.add(outcome.append, publication(routing_key=route))

        for route in ("x", "x"):
            _, flags, fields, body = publication()
            confirms.give_back(Returned(312, "NO_ROUTE", "", route), flags, fields, body)

        assert [len(outcome) for outcome in told] == [1, 0, 1]

    def test_a_return_out_of_order_is_still_found(self) -> None:
        confirms = Confirms()
        outcomes = Outcomes(3, confirms)

        self._returned(3, confirms)
        self._returned(1, confirms)

        assert outcomes.of(Returned) == [1, 3]

    def test_a_return_that_fits_nothing_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        confirms = Confirms()
        outcomes = Outcomes(1, confirms)

        self._returned(1, confirms, routing_key="other")

        assert outcomes.open == [1]
        assert "came back" in caplog.text


class TestTheEndOfTheChannel:
    def test_a_lost_line_fails_all_with_an_error_each(self) -> None:
        confirms = Confirms()
        outcomes = Outcomes(2, confirms)

        confirms.fail(None, ConnectionLost("gone"))

        assert outcomes.of(ConnectionLost) == [1, 2]
        assert outcomes.told[1][0] is not outcomes.told[2][0]

    @pytest.mark.parametrize(
        ("text", "culprit"),
        [
            ("NOT_FOUND - no exchange 'missing' in vhost '/'", 1),
            ("PRECONDITION_FAILED - user_id property set to 'mallory' but authenticated user was 'ann'", 2),
            ('PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}', 3),
            ("PRECONDITION_FAILED - message size 20 is larger than configured max size 19", 4),
        ],
    )
    def test_only_the_publication_that_the_broker_names_gets_the_refusal(
        self, text: str, culprit: int
    ) -> None:
        confirms = Confirms()
        told: list[list[AmqpError | None]] = [[], [], [], [], [], []]
        confirms.add(told[0].append, publication())
        confirms.add(told[1].append, publication(exchange="missing"))
        confirms.add(told[2].append, publication(properties=Properties(user_id="mallory")))
        confirms.add(told[3].append, publication(properties=Properties(headers={"CC": "no array"})))
        confirms.add(told[4].append, publication(b"x" * 20))
        confirms.add(told[5].append, publication(properties=Properties(headers={"CC": ["q2"], "BCC": "b"})))
        error = refusal(404 if culprit == 1 else 406, text)

        found = confirms.fail(error, ChannelInterrupted("over something else"))

        assert found
        for number, (outcome,) in enumerate(told):
            assert isinstance(
                outcome, (NotFound, PreconditionFailed) if number == culprit else ChannelInterrupted
            )

    def test_the_only_publication_under_way_is_the_one_meant(self) -> None:
        confirms = Confirms()
        outcomes = Outcomes(1, confirms)

        assert confirms.fail(refusal(406, "PRECONDITION_FAILED - too large"), ChannelInterrupted("else"))
        assert outcomes.of(PreconditionFailed) == [1]

    def test_where_none_can_be_told_apart_nobody_is_blamed(self) -> None:
        confirms = Confirms()
        outcomes = Outcomes(2, confirms)

        assert not confirms.fail(refusal(406, "PRECONDITION_FAILED - too large"), ChannelInterrupted("else"))
        assert outcomes.of(ChannelInterrupted) == [1, 2]


class TestOutcomes:
    async def test_a_future_is_done_by_its_confirm(self) -> None:
        confirms = Confirms()
        futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
        for future in futures:
            confirms.add(future, publication())
        futures[2].cancel()

        confirms.settle(1, multiple=False, error=None)
        confirms.settle(2, multiple=False, error=_NACK)
        confirms.settle(3, multiple=False, error=None)

        await futures[0]
        with pytest.raises(Nacked):
            await futures[1]
        assert futures[2].cancelled()

    def test_a_failing_callback_does_not_stop_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        confirms = Confirms()
        told: list[AmqpError | None] = []

        def fail(_: AmqpError | None) -> None:
            raise RuntimeError("on purpose")

        confirms.add(fail, publication())
        confirms.add(told.append, publication())

        confirms.settle(2, multiple=True, error=None)

        assert told == [None]
        assert "on_confirm" in caplog.text

    def test_a_failure_that_nobody_asked_for_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        confirms = Confirms()
        confirms.add(None, publication())
        confirms.add(None, publication())

        with caplog.at_level(logging.WARNING):
            confirms.settle(1, multiple=False, error=None)
            confirms.settle(2, multiple=False, error=_NACK)

        assert len(caplog.records) == 1
