from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.auth.families import PresentedToken, Verdict, judge
from libs.auth.settings import SessionSettings
from libs.auth.tokens import LiveSession

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def token(**values: Any) -> PresentedToken:
    """One that was rotated ten seconds ago, its successor unused."""
    session = LiveSession(
        UUID(int=1), UUID(int=2), ago(60), ("pwd",), (), values.pop("session_until", NOW + DAY)
    )
    usual: dict[str, Any] = {
        "open": True,
        "expires_at": NOW + DAY,
        "used_at": ago(10),
        "rotated_at": ago(10),
        "successor": b"sealed",
        "parent_of_live": True,
        "live_expires_at": NOW + DAY,
    }
    return PresentedToken(session=session, **{**usual, **values})


@pytest.mark.parametrize(
    ("presented", "verdict"),
    [
        (token(), Verdict.SAME),
        (token(used_at=ago(30), rotated_at=ago(30)), Verdict.SAME),
        (token(used_at=ago(31), rotated_at=ago(31)), Verdict.AGAIN),
        (token(used_at=ago(3599), rotated_at=ago(3599), successor=None), Verdict.AGAIN),
        (token(used_at=ago(3600), rotated_at=ago(3600)), Verdict.REUSED),
        (token(used_at=ago(3599), rotated_at=ago(20)), Verdict.SAME),
        (token(used_at=ago(4000), rotated_at=ago(20)), Verdict.SAME),
        (token(used_at=ago(4000), rotated_at=ago(40)), Verdict.REUSED),
        (token(successor=None), Verdict.AGAIN),
        (token(parent_of_live=False), Verdict.REUSED),
        (token(rotated_at=None, successor=None, parent_of_live=False), Verdict.REUSED),
        (token(expires_at=ago(1), used_at=ago(60), rotated_at=ago(60)), Verdict.REUSED),
        (token(open=False), Verdict.ENDED),
        (token(open=False, parent_of_live=False), Verdict.ENDED),
        (token(session_until=NOW), Verdict.EXPIRED),
        (token(used_at=None, rotated_at=None, expires_at=ago(1)), Verdict.EXPIRED),
    ],
)
def test_what_a_spent_token_may_still_do(presented: PresentedToken, verdict: Verdict) -> None:
    assert judge(presented, NOW, SessionSettings()) is verdict


def test_no_answer_counts_as_lost_where_the_setting_says_so() -> None:
    strict = SessionSettings(lost_answer_seconds=0)
    assert judge(token(used_at=ago(31), rotated_at=ago(31)), NOW, strict) is Verdict.REUSED
    assert judge(token(), NOW, strict) is Verdict.SAME
