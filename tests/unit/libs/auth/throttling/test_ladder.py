from __future__ import annotations

from libs.auth.throttling import Ladder, ThrottleSettings


def test_the_first_failures_are_free_and_then_each_wait_doubles_up_to_the_longest() -> None:
    ladder = Ladder(free=3, limit=50, first=1.0, longest=10.0, memory=60.0)
    assert [ladder.delay(failures) for failures in range(1, 9)] == [0, 0, 1, 2, 4, 8, 10, 10]


def test_the_usual_limits_keep_an_account_within_what_nist_allows() -> None:
    """Four counts, see `ThrottleSettings` (NIST SP 800-63B, section 3.2.2: at most 100 in a row)."""
    assert ThrottleSettings().login_limit * 4 <= 100
