"""What a delivery's properties and headers say of its caller."""

from __future__ import annotations

import time
from typing import NamedTuple

from libs.amqp import Delivery
from libs.messaging.caller import Caller, Client, Identity
from libs.messaging.deadline import Deadline
from libs.messaging.rabbitmq.headers import read_headers, trace

JSON = "application/json"
DEFAULT_BUDGET = 30.0  # s, for a foreign caller that sends no deadline
_UNKNOWN = Client()


class Received(NamedTuple):
    """Who asks, until when, and whether the two deadlines that came along contradict each other."""

    caller: Caller
    deadline: Deadline
    skewed: bool


def received(delivery: Delivery, *, trusted: frozenset[str], clock_skew: float) -> Received:
    """Read a request's metadata; raises `libs.amqp.MalformedMessage`.

    Identity and client count only from a user that the broker has checked and that is trusted. A deadline header
    that says more than the expiration proves that two machines' clocks differ.
    """
    headers, properties = read_headers(delivery), delivery.undecoded
    believed = properties.user_id in trusted
    expiration = None if properties.expiration is None else properties.expiration / 1000
    header = None if headers.deadline is None else headers.deadline / 1000 - time.time()
    deadline = Deadline.received(expiration, header, skew=clock_skew, default=DEFAULT_BUDGET)
    caller = Caller(
        Identity.from_header(headers.identity) if believed else None,
        Client.from_header(headers.client) if believed else _UNKNOWN,
        deadline,
        headers.traceparent,
        properties.message_id or "",
    )
    skewed = expiration is not None and header is not None and header - clock_skew > expiration
    return Received(caller, deadline, skewed)


def event_caller(delivery: Delivery) -> Caller:
    """On whose behalf a listener runs: nobody's, under the event's trace and id."""
    return Caller(
        traceparent=trace(delivery.headers.get("traceparent")),
        request_id=delivery.message_id or "",
    )
