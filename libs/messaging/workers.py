"""Work on deliveries, done by tasks that outlive it.

A task for each delivery costs more than most handlers do. So a worker that is done with one piece of work takes the
next, and a handler that never waits costs no task at all. One that waits holds up nobody: before a worker begins, it
wakes another for what is left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Generic, NamedTuple, TypeVar, cast

import structlog

from libs.messaging.expiry import Expiry

_log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")


class _Piece(NamedTuple, Generic[ResultT]):
    work: Coroutine[Any, Any, ResultT]
    done: Callable[[ResultT | None], None]
    within: float | None


class Workers(Generic[ResultT]):
    """As many workers as there are pieces of work at once. Made inside of a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending: deque[_Piece[ResultT]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._stopped: set[asyncio.Task[None]] = set()
        self._expiry: Expiry[asyncio.Task[None]] = Expiry(self._stop)
        self._called = False  # whether a worker is on its way to what is pending
        self._clean = (
            copy_context()
        )  # every worker's, so that none inherits what the first starter had in its own
        self._finished: asyncio.Future[None] | None = None
        self._ending = False

    def start(
        self,
        work: Coroutine[Any, Any, ResultT],
        *,
        done: Callable[[ResultT | None], None],
        within: float | None = None,
    ) -> None:
        """Do ``work`` and pass on its result: None where it was stopped, ``within`` seconds at the latest."""
        self._pending.append(_Piece(work, done, within))
        if not self._called:
            self._call()

    async def finish(self, within: float) -> None:
        """Wait until all is done, at most ``within`` seconds; what is still under way then is stopped."""
        if self._busy or self._pending:
            self._finished = finished = self._loop.create_future()
            await asyncio.wait([finished], timeout=within)
            self._finished = None
        late = list(self._busy)
        if late or self._pending:
            _log.warning("handlers were stopped before they finished", count=len(late) + len(self._pending))
        while self._pending:
            piece = self._pending.popleft()
            piece.work.close()
            self._tell(piece, None)
        self._ending = True
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._ending = False
        self._idle.clear()

    def _call(self) -> None:
        """Send one worker to what is pending."""
        self._called = True
        while self._idle:
            turn = self._idle.pop()
            if not turn.done():  # else somebody has cancelled that worker while it rested
                turn.set_result(None)
                return
        worker = self._loop.create_task(self._work(), context=self._clean.copy())
        self._workers.add(worker)
        worker.add_done_callback(self._gone)

    async def _work(self) -> None:
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        while True:
            self._called = False
            while self._pending:
                piece = self._pending.popleft()
                if self._pending and not self._called:
                    self._call()
                await self._do(worker, piece)
                if (
                    copy_context() != self._clean
                ):  # what a handler has left there must not meet the next caller
                    return
            if self._ending:
                return
            self._look_finished()
            turn = self._loop.create_future()
            self._idle.append(turn)
            await turn

    def _gone(self, worker: asyncio.Task[None]) -> None:
        """A worker has ended, whatever ended it: what it may have been called for must not wait for ever."""
        self._workers.discard(worker)
        if self._pending and not self._ending:
            self._call()
        else:
            self._look_finished()

    def _look_finished(self) -> None:
        if self._finished is not None and not self._busy and not self._pending:
            self._finished.set_result(None)
            self._finished = None

    async def _do(self, worker: asyncio.Task[None], piece: _Piece[ResultT]) -> None:
        self._busy.add(worker)
        if piece.within is not None:
            self._expiry.add(worker, piece.within)
        result: ResultT | None = None
        try:
            result = await piece.work
        except asyncio.CancelledError:
            if worker not in self._stopped:
                raise
        finally:
            self._busy.discard(worker)
            self._expiry.discard(worker)
            if worker in self._stopped:
                self._stopped.discard(worker)
                worker.uncancel()
            self._tell(piece, result)

    def _tell(self, piece: _Piece[ResultT], result: ResultT | None) -> None:
        try:
            piece.done(result)
        except Exception as error:  # ruff: ignore[blind-except]  a callback's failure must not take a worker with it
            self._loop.call_exception_handler({"message": "a result was not taken", "exception": error})

    def _stop(self, worker: asyncio.Task[None]) -> None:
        """Stop what the worker is doing, and not the worker."""
        self._stopped.add(worker)
        worker.cancel()
