"""A deadline shrinks on its way and trusts the broker's clock before another machine's."""

import pytest

from libs.messaging import Deadline


def received(expiration: float | None, header: float | None) -> float:
    return Deadline.received(expiration, header, skew=1.0, default=30.0).remaining


def test_a_foreign_caller_without_either_has_the_default() -> None:
    assert received(None, None) == pytest.approx(30.0, abs=0.5)


def test_the_expiration_bounds_it() -> None:
    assert received(2.0, None) == pytest.approx(2.0, abs=0.5)


def test_time_in_the_queue_counts_against_the_header() -> None:
    assert received(10.0, 3.0) == pytest.approx(4.0, abs=0.5)


def test_a_header_beyond_the_expiration_gives_nothing() -> None:
    assert received(2.0, 3600.0) == pytest.approx(2.0, abs=0.5)


def test_skew_is_tolerated_up_to_its_bound() -> None:
    assert received(5.0, -0.5) > 0
    assert received(5.0, -2.0) < 0


def test_the_earlier_of_two_holds() -> None:
    assert Deadline.after(5).within(1).remaining == pytest.approx(1.0, abs=0.5)
    assert Deadline.after(1).within(5).remaining == pytest.approx(1.0, abs=0.5)


def test_it_passes() -> None:
    assert Deadline.after(-0.001).passed
    assert not Deadline.after(10).passed
