"""How Gatehouse's metadata travels in AMQP properties and headers."""

from __future__ import annotations

import time

from libs.amqp import Delivery
from libs.messaging.caller import Caller, Client, Identity
from libs.messaging.deadline import Deadline

JSON = "application/json"
DEFAULT_BUDGET = 30.0  # s, for a foreign caller that sends no deadline
_MAX_TRACEPARENT = 128  # characters; version 00 has 55 (W3C Trace Context, section 3.2)


def request_headers(caller: Caller, budget: float) -> dict[str, str | int]:
    """The headers of a request whose caller still waits ``budget`` seconds."""
    headers: dict[str, str | int] = {"deadline": int((time.time() + budget) * 1000)}
    if caller.traceparent:
        headers["traceparent"] = caller.traceparent
    if caller.identity is not None:
        headers["identity"] = caller.identity.header
    if caller.client.ip:
        headers["client"] = caller.client.header
    return headers


def request_caller(delivery: Delivery, *, trusted: frozenset[str], clock_skew: float) -> tuple[Caller, bool]:
    """Who asks, and whether the deadline header proves skewed clocks.

    Identity and client count only from a user that the broker has checked and that is trusted.
    """
    properties, headers = delivery.properties, delivery.headers
    expiration, deadline_ms = properties.expiration, headers.get("deadline")
    if not isinstance(deadline_ms, int):
        deadline_ms = None
    deadline = Deadline.received(expiration, deadline_ms, skew=clock_skew, default=DEFAULT_BUDGET)
    believed = properties.user_id is not None and properties.user_id in trusted
    caller = Caller(
        identity=Identity.from_header(headers.get("identity")) if believed else None,
        client=Client.from_header(headers.get("client")) if believed else Client(),
        deadline=deadline,
        traceparent=_text(headers.get("traceparent")),
        request_id=properties.message_id or "",
    )
    skewed = (
        expiration is not None
        and deadline_ms is not None
        and deadline_ms / 1000 - time.time() - clock_skew > expiration / 1000
    )
    return caller, skewed


def event_caller(delivery: Delivery) -> Caller:
    """On whose behalf a listener runs: nobody's, under the event's trace and id."""
    return Caller(
        traceparent=_text(delivery.headers.get("traceparent")),
        request_id=delivery.properties.message_id or "",
    )


def _text(header: object) -> str:
    return header if isinstance(header, str) and len(header) <= _MAX_TRACEPARENT else ""
