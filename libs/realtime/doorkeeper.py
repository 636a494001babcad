"""Asking a service whether a client may hear one of its channels."""

from __future__ import annotations

from typing import Any, Protocol

import structlog
from pydantic import Field
from typing_extensions import override

from libs.messaging import SERVICES, AppError, Bus, Caller, Operation, Reply, Request
from libs.realtime.channels import Channel
from libs.realtime.codes import PERMISSION_DENIED, Refused

_log = structlog.get_logger(__name__)


class SubscribeQuestion(Request):
    """May this client hear this channel? The account that asks is the caller."""

    channel: str
    client: str = Field(description="The connection's id.")
    data: Any = Field(None, description="What the client sent along.")


class SubscribeAnswer(Reply):
    """It may."""

    expires_at: int | None = Field(None, description="Until when (Unix seconds); asked again after it.")
    info: Any = Field(None, description="What others in the channel see beside the client (`chan_info`).")


class Doorkeeper(Protocol):
    """Knows who may hear the channels of a service."""

    async def __call__(
        self, channel: Channel, question: SubscribeQuestion, caller: Caller
    ) -> SubscribeAnswer:
        """Raises `Refused` for who may not, `AppError` when it cannot be told now."""


class ServiceDoorkeeper(Doorkeeper):
    """Calls the operation that the namespace names, by default ``<namespace>.subscribe``."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._operations: dict[str, Operation[SubscribeQuestion, SubscribeAnswer]] = {}

    @override
    async def __call__(
        self, channel: Channel, question: SubscribeQuestion, caller: Caller
    ) -> SubscribeAnswer:
        operation = self._operation(channel.rules.operation(channel.namespace))
        try:
            reply = await self._bus.forward(operation, operation.encode_request(question), caller)
        except AppError as error:
            if error.status < 500:
                raise Refused(PERMISSION_DENIED) from error
            _log.warning("subscription_cannot_be_decided", operation=operation.name, reason=error.code)
            raise
        return operation.decode_reply(reply)

    def _operation(self, name: str) -> Operation[SubscribeQuestion, SubscribeAnswer]:
        """As many as there are namespaces."""
        if name not in self._operations:
            self._operations[name] = Operation(name, SubscribeQuestion, SubscribeAnswer, access=SERVICES)
        return self._operations[name]
