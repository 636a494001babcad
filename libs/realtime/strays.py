"""Events in the log that reach no client: told in the log file and counted, since their publisher was confirmed."""

from __future__ import annotations

import structlog
from prometheus_client import Counter

_log = structlog.get_logger(__name__)
_SHOWN = 128  # characters of what a publisher wrote
_DROPPED = Counter(
    "gatehouse_realtime_dropped_events", "Events in the realtime log that no client can be given.", ["reason"]
)


def drop(reason: str, *, event_name: str, message_id: str, channel: str = "") -> None:
    """Tell of an event that goes to nobody; ``reason`` is one of a few fixed words."""
    _DROPPED.labels(reason).inc()
    _log.warning(
        "realtime_event_dropped",
        reason=reason,
        event_name=event_name[:_SHOWN],
        message_id=message_id[:_SHOWN],
        channel=channel[:_SHOWN],
    )
