"""An event on its way: everything the wire needs, kept as it will be sent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import uuid_utils

from libs.messaging.caller import current_caller
from libs.messaging.contract import Event, PayloadT
from libs.messaging.errors import FieldError, ValidationFailed

_MAX_CHANNEL = 255  # bytes


def new_message_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): sortable by the time it was made."""
    return str(uuid_utils.uuid7())


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One event: its ``message_id`` is what deduplicates it, however often it is sent."""

    name: str
    body: bytes
    channel: str = ""
    mandatory: bool = False
    message_id: str = field(default_factory=new_message_id)
    timestamp: int = field(default_factory=lambda: int(time.time()))
    """Unix seconds."""
    traceparent: str = ""

    @classmethod
    def of(
        cls, event: Event[PayloadT], payload: PayloadT, *, channel: str = "", mandatory: bool = False
    ) -> EventMessage:
        """The message that tells of ``payload``.

        Raises ValueError where a channel is missing or out of place, and ValidationFailed for one whose name is too long.
        """
        if event.client_facing != bool(channel):
            raise ValueError(f"{event.name}: a channel goes with realtime.* events, and with no others")
        if len(channel.encode()) > _MAX_CHANNEL:
            too_long = FieldError(field="channel", message=f"It is longer than {_MAX_CHANNEL} bytes")
            raise ValidationFailed(errors=[too_long])
        return cls(
            name=event.name,
            body=event.encode(payload),
            channel=channel,
            mandatory=mandatory,
            traceparent=current_caller().traceparent,
        )
