from __future__ import annotations

from datetime import UTC, datetime, timedelta

from libs.infra.clock import SystemClock


def test_the_time_is_aware_and_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
