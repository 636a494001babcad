"""What happens to one delivery: decode, run the handler on its caller's behalf within the deadline, encode."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple, cast

import structlog

from libs.messaging.caller import Caller, acting_for
from libs.messaging.contract import AnyEvent
from libs.messaging.errors import AppError, InternalError, ValidationFailed
from libs.messaging.handlers import Listener, Route

_log = structlog.get_logger(__name__)


class Answer(NamedTuple):
    """A reply as it travels: ``kind`` is the message's type, ``reply`` or ``error``."""

    kind: str
    body: bytes


def refusal(error: AppError) -> Answer:
    """The answer that tells of ``error``."""
    return Answer("error", error.problem().to_json())


async def answer(route: Route, body: bytes, caller: Caller) -> Answer | None:
    """Run the route's handler; None once nobody waits for the answer any more."""
    deadline = caller.deadline
    if deadline is None:
        return await _run(route, body, caller)
    remaining = deadline.remaining
    if remaining <= 0:
        _log.info("request dropped: its deadline has passed", operation=route.operation.name)
        return None
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    timer = asyncio.get_running_loop().call_later(remaining, task.cancel)  # cheaper than asyncio.timeout
    try:
        return await _run(route, body, caller)
    except asyncio.CancelledError:
        if not deadline.passed:
            raise
        task.uncancel()
        _log.warning("handler stopped at its deadline", operation=route.operation.name)
        return None
    finally:
        timer.cancel()


async def _run(route: Route, body: bytes, caller: Caller) -> Answer:
    operation = route.operation
    try:
        with acting_for(caller):
            reply = await route.handler(operation.decode_request(body), caller)
        return Answer("reply", operation.encode_reply(reply))
    except AppError as error:
        return refusal(error)
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
    except Exception:  # ruff: ignore[blind-except]  # whatever a listener raises, the event goes to the dead letters
        _log.exception("listener failed", event_name=event.name, message_id=caller.request_id)
        return False
    return True


class Tasks:
    """The deliveries that run now: strong references, and one bounded wait for all of them at the stop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` as a task of this set."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, within: float) -> None:
        """Wait until all have finished, at most ``within`` seconds; what still runs then is cancelled."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=within)
        for task in late:
            task.cancel()
        if late:
            _log.warning("handlers were stopped before they finished", count=len(late))
            await asyncio.gather(*late, return_exceptions=True)
