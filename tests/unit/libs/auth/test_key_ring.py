from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.auth.key_ring import Ring, state_of
from libs.auth.orm import SigningKeyRow
from tests.fixtures.accounts import key_settings

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def row(kid: str, **values: Any) -> SigningKeyRow:
    return SigningKeyRow(**{"kid": kid, "algorithm": "ES256", "created_at": START, **values})


SIGNING = row("a", activated_at=START)


class TestStates:
    @pytest.mark.parametrize(
        ("values", "state"),
        [
            ({}, "next"),
            ({"activated_at": START}, "signing"),
            ({"activated_at": START, "retired_at": START}, "retired"),
            ({"retired_at": START}, "retired"),
            ({"activated_at": START, "retired_at": START, "revoked_at": START}, "revoked"),
        ],
    )
    def test_the_moments_say_what_a_key_is_for(self, values: dict[str, datetime], state: str) -> None:
        assert state_of(row("k", **values)) == state

    def test_a_revoked_key_is_in_no_ring(self) -> None:
        assert Ring.of([row("k", activated_at=START, retired_at=START, revoked_at=START)]).rows == ()

    def test_a_ring_is_complete_with_a_key_that_signs_and_one_that_follows(self) -> None:
        assert Ring.of([SIGNING, row("b")]).complete
        assert not Ring.of([SIGNING]).complete
        assert not Ring.of([row("b")]).complete


class TestReady:
    def test_after_its_time_of_publication(self) -> None:
        ring = Ring.of([SIGNING, row("b", created_at=after(5))])
        assert ring.ready_at(key_settings(publish_seconds=60)) == after(65)

    def test_at_once_where_no_set_was_ever_published_without_it(self) -> None:
        assert Ring.of([SIGNING, row("b")]).ready_at(key_settings()) == START

    def test_never_where_there_is_none(self) -> None:
        assert Ring.of([SIGNING]).ready_at(key_settings()) is None


class TestDue:
    def due(self, following: SigningKeyRow, **settings: Any) -> datetime | None:
        return Ring.of([SIGNING, following]).due_at(key_settings(publish_seconds=60, **settings))

    def test_when_the_one_that_signs_is_old_enough(self) -> None:
        assert self.due(row("b"), rotation_seconds=100) == after(100)

    def test_not_before_the_next_is_ready(self) -> None:
        assert self.due(row("b", created_at=after(90)), rotation_seconds=100) == after(150)

    def test_when_an_operator_asked_for_it(self) -> None:
        following = row("b", created_at=after(10), signs_from=after(70))
        assert self.due(following, rotation_seconds=1000) == after(70)

    def test_never_by_itself_where_that_is_switched_off(self) -> None:
        assert self.due(row("b"), rotation_seconds=0) is None

    def test_as_soon_as_it_can_where_another_algorithm_is_wanted(self) -> None:
        following = row("b", algorithm="EdDSA", created_at=after(10))
        assert self.due(following, rotation_seconds=0, algorithm="EdDSA") == after(70)
        assert self.due(following, rotation_seconds=0, algorithm="ES256") is None
