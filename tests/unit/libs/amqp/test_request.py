import asyncio

import pytest

from libs.amqp import CallTimeout, NotFound
from libs.amqp.calls import Resolve
from libs.amqp.errors import refusal
from libs.amqp.methods import QueueClass
from libs.amqp.request import answered

_ANSWER = QueueClass.BindOk()


class Broker:
    """Holds the answer back until the test gives it."""

    def __init__(self) -> None:
        self.resolve: Resolve | None = None
        self.late = 0

    def send(self, resolve: Resolve) -> None:
        self.resolve = resolve

    def answer(self) -> None:
        assert self.resolve is not None
        self.resolve(_ANSWER, None)

    def refuse(self) -> None:
        assert self.resolve is not None
        self.resolve(None, refusal(404, "NOT_FOUND"))

    def came_late(self) -> None:
        self.late += 1

    def wait(self, timeout: float = 5) -> "asyncio.Task[object]":
        return asyncio.create_task(answered(self.send, "queue.bind", timeout=timeout, late=self.came_late))


async def test_the_answer_is_returned() -> None:
    broker = Broker()
    task = broker.wait()
    await asyncio.sleep(0)

    broker.answer()

    assert await task is _ANSWER
    assert broker.late == 0


async def test_the_refusal_is_raised() -> None:
    broker = Broker()
    task = broker.wait()
    await asyncio.sleep(0)

    broker.refuse()

    with pytest.raises(NotFound):
        await task


async def test_an_answer_after_the_time_is_up_is_told_apart() -> None:
    broker = Broker()

    with pytest.raises(CallTimeout, match=r"queue\.bind within 0\.01 s"):
        await broker.wait(0.01)
    broker.answer()

    assert broker.late == 1


async def test_an_answer_in_the_turn_of_the_cancellation_counts_as_late() -> None:
    broker = Broker()
    task = broker.wait()
    await asyncio.sleep(0)

    broker.answer()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert broker.late == 1


async def test_a_late_refusal_is_dropped() -> None:
    broker = Broker()
    task = broker.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    broker.refuse()

    assert broker.late == 0
