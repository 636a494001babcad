"""What happens to one delivery: decode, run the handler on its caller's behalf, encode."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, TypeVar, cast

import structlog

from libs.messaging.caller import Caller, acting_for
from libs.messaging.contract import AnyEvent
from libs.messaging.errors import AppError, InternalError, ValidationFailed
from libs.messaging.handlers import Listener, Route

_log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")


class Answer(NamedTuple):
    """A reply as it travels: ``kind`` is the message's type, ``reply`` or ``error``."""

    kind: str
    body: bytes


def refusal(error: AppError) -> Answer:
    """The answer that tells of ``error``."""
    return Answer("error", error.problem().to_json())


async def answer(route: Route, body: bytes, caller: Caller) -> Answer:
    """Run the route's handler on its caller's behalf. Whatever it raises becomes an answer."""
    operation = route.operation
    try:
        with acting_for(caller):
            reply = await route.handler(operation.decode_request(body), caller)
        return Answer("reply", operation.encode_reply(reply))
    except AppError as error:
        return refusal(error)
    except asyncio.CancelledError:
        if cast("asyncio.Task[Any]", asyncio.current_task()).cancelling():
            raise
        _log.exception("handler awaited what was cancelled", operation=operation.name)
        return refusal(InternalError())
    except Exception:  # ruff: ignore[blind-except]  whatever a handler raises, its caller gets an answer
        _log.exception("handler failed", operation=operation.name, request_id=caller.request_id)
        return refusal(InternalError())


async def hear(event: AnyEvent, listener: Listener[Any], body: bytes, caller: Caller) -> bool:
    """Run the listener; False where the event cannot be read or the listener failed, so that it is dead-lettered."""
    try:
        payload = event.decode(body)
    except ValidationFailed as error:
        fields = [one.field for one in error.errors]
        _log.error("event cannot be read", event_name=event.name, message_id=caller.request_id, fields=fields)
        return False
    try:
        with acting_for(caller):
            await listener(payload)
    except asyncio.CancelledError:
        if cast("asyncio.Task[Any]", asyncio.current_task()).cancelling():
            raise
        _log.exception(
            "listener awaited what was cancelled", event_name=event.name, message_id=caller.request_id
        )
        return False
    except Exception:  # ruff: ignore[blind-except]  # whatever a listener raises, the event goes to the dead letters
        _log.exception("listener failed", event_name=event.name, message_id=caller.request_id)
        return False
    return True
