"""What lies in the log, as AMQP messages: events of anybody, and the log's own marks.

An event has its name as type (or as the routing key it was published with) and its channel in the header ``channel``.
Marks belong to the gateways, and so do the records of who came into a channel and who left it (``info``, in ``channel``):
with the header ``epoch`` a mark names the incarnation of the log, and with ``read`` it says how far its author had read
by then. All these, and who a publication is from, count only from RabbitMQ users that are trusted, which the broker has
checked.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from libs.amqp import PERSISTENT, Delivery, MalformedMessage, Properties
from libs.realtime.feed import Event, Movement
from libs.realtime.protocol import ClientInfo
from libs.realtime.strays import drop

MARK, JOIN, LEAVE = "realtime.log.mark", "realtime.log.join", "realtime.log.leave"
_OWN = frozenset({MARK, JOIN, LEAVE})
_JSON = "application/json"
_OFFSET = "x-stream-offset"
_INFO = TypeAdapter(ClientInfo)


@dataclass(frozen=True, slots=True)
class Mark:
    """A record of the log's own. ``epoch`` is empty in a mere marker; without ``read`` it declares a new epoch."""

    message_id: str
    epoch: str = ""
    read: int | None = None

    def is_true_at(self, position: int) -> bool:
        """Whether its author can have meant this log: what is appended lies behind what was read before.

        After a log was deleted and made anew, a gateway may still repeat the old one's epoch once.
        """
        return self.read is None or self.read < position


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its ``position``, what tells it from another at the same position, and what it is."""

    position: int
    identity: str
    content: Event | Movement | Mark | None


def message(content: Event | Movement | Mark, *, user: str) -> tuple[Properties, bytes]:
    """The properties and the body of a record that this gateway appends as the RabbitMQ user ``user``."""
    match content:
        case Event():
            headers: dict[str, Any] = {"channel": content.channel}
            if content.info is not None:
                headers["info"] = _INFO.dump_json(content.info).decode()
            return _properties(content.name, content.message_id, headers, user, int(content.at)), content.data
        case Movement():
            headers = {"channel": content.channel, "info": _INFO.dump_json(content.info).decode()}
            name = JOIN if content.joined else LEAVE
        case Mark():
            found = {"epoch": content.epoch or None, "read": content.read}
            headers = {header: value for header, value in found.items() if value is not None}
            name = MARK
    return _properties(name, content.message_id, headers, user, int(time.time())), b"{}"


def _properties(name: str, message_id: str, headers: dict[str, Any], user: str, timestamp: int) -> Properties:
    return Properties(
        content_type=_JSON,
        headers=headers,
        delivery_mode=PERSISTENT,
        message_id=message_id,
        timestamp=timestamp,
        type=name,
        user_id=user,
    )


def read(delivery: Delivery, trusted: AbstractSet[str]) -> Record | None:
    """The record in a delivery; None for what cannot be one, since it has no position."""
    try:
        headers, properties = delivery.headers, delivery.properties
    except MalformedMessage:
        return None
    position = headers.get(_OFFSET)
    if not isinstance(position, int):
        return None
    identity = properties.message_id or hashlib.sha256(delivery.body).hexdigest()
    believed = properties.user_id is not None and properties.user_id in trusted
    name = properties.type or delivery.routing_key
    content: Event | Movement | Mark | None = None
    if name in _OWN:
        content = _own(name, headers, identity) if believed else None
    elif isinstance(channel := headers.get("channel"), str):
        info = _info(headers.get("info")) if believed else None
        at = min(properties.timestamp or time.time(), time.time())
        content = Event(name, channel, delivery.body, properties.message_id or "", info, at)
    else:
        drop("no channel", event_name=name, message_id=properties.message_id or "")
    return Record(position, identity, content)


def _own(name: str, headers: dict[str, Any], message_id: str) -> Movement | Mark | None:
    if name == MARK:
        return _mark(headers, message_id)
    channel, info = headers.get("channel"), _info(headers.get("info"))
    if not isinstance(channel, str) or info is None:
        return None
    return Movement(channel, info, joined=name == JOIN, message_id=message_id)


def _mark(headers: dict[str, Any], message_id: str) -> Mark:
    epoch, last = headers.get("epoch"), headers.get("read")
    return Mark(message_id, epoch if isinstance(epoch, str) else "", last if isinstance(last, int) else None)


def _info(header: object) -> ClientInfo | None:
    if not isinstance(header, str):
        return None
    try:
        return _INFO.validate_json(header)
    except ValueError:
        return None
