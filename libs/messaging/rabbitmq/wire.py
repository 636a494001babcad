"""How Gatehouse's metadata travels in AMQP properties and headers."""

from __future__ import annotations

import time
from functools import lru_cache
from struct import Struct
from typing import Any

from libs.amqp import Delivery, encode_table
from libs.messaging.caller import Caller, Client, Identity
from libs.messaging.deadline import Deadline

JSON = "application/json"
DEFAULT_BUDGET = 30.0  # s, for a foreign caller that sends no deadline
_REMEMBERED = 1024  # origins whose headers are kept encoded: a client that calls again has the same
_UNKNOWN = Client()
_LENGTH = Struct(">I")
_INT64 = Struct(">q")


def _entries(table: dict[str, Any]) -> bytes:
    """A table's entries without its length."""
    return encode_table(table)[_LENGTH.size :]


_DEADLINE = _entries({"deadline": 2**40})[: -_INT64.size]
_TRACEPARENT = _entries({"traceparent": ""})[: -_LENGTH.size]
_MAX_TRACEPARENT = 128  # characters; version 00 has 55 (W3C Trace Context, section 3.2)


def request_headers(caller: Caller, budget: float) -> bytes:
    """The encoded headers of a request whose caller still waits ``budget`` seconds.

    Put together from entries that are encoded once: this is done for every request.
    """
    entries = _DEADLINE + _INT64.pack(int((time.time() + budget) * 1000))
    if caller.traceparent:
        trace = caller.traceparent.encode()
        entries += _TRACEPARENT + _LENGTH.pack(len(trace)) + trace
    identity, client = caller.identity, caller.client
    entries += _origin(identity.header if identity else "", client.header if client.ip else "")
    return _LENGTH.pack(len(entries)) + entries


@lru_cache(maxsize=_REMEMBERED)
def _origin(identity: str, client: str) -> bytes:
    headers = {"identity": identity, "client": client}
    return _entries({name: value for name, value in headers.items() if value})


def request_caller(
    delivery: Delivery, *, trusted: frozenset[str], clock_skew: float
) -> tuple[Caller, Deadline]:
    """Who asks, and until when.

    Identity and client count only from a user that the broker has checked and that is trusted.
    """
    headers = delivery.headers
    believed = delivery.user_id in trusted
    deadline = Deadline.received(
        delivery.expiration, _header_deadline(headers), skew=clock_skew, default=DEFAULT_BUDGET
    )
    caller = Caller(
        Identity.from_header(headers.get("identity")) if believed else None,
        Client.from_header(headers.get("client")) if believed else _UNKNOWN,
        deadline,
        _text(headers.get("traceparent")),
        delivery.message_id or "",
    )
    return caller, deadline


def skewed(delivery: Delivery, clock_skew: float) -> bool:
    """Whether the deadline header says more than the expiration: then the two machines' clocks differ."""
    expiration, deadline_ms = delivery.expiration, _header_deadline(delivery.headers)
    if expiration is None or deadline_ms is None:
        return False
    return deadline_ms / 1000 - time.time() - clock_skew > expiration / 1000


def _header_deadline(headers: dict[str, Any]) -> int | None:
    deadline_ms = headers.get("deadline")
    return deadline_ms if isinstance(deadline_ms, int) else None


def event_caller(delivery: Delivery) -> Caller:
    """On whose behalf a listener runs: nobody's, under the event's trace and id."""
    return Caller(
        traceparent=_text(delivery.headers.get("traceparent")),
        request_id=delivery.message_id or "",
    )


def _text(header: object) -> str:
    return header if isinstance(header, str) and len(header) <= _MAX_TRACEPARENT else ""
