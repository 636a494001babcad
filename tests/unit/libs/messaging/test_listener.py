"""A delivery ends in one of three ways: a reply, a typed refusal, or nothing because nobody waits."""

import asyncio

import pytest

from libs.messaging import (
    ANONYMOUS,
    Caller,
    Deadline,
    Event,
    Identity,
    Operation,
    Problem,
    Reply,
    Request,
    current_caller,
)
from libs.messaging.handlers import Route
from libs.messaging.listener import Tasks, answer, hear


class Named(Request):
    name: str


class Greeting(Reply):
    text: str


GREET = Operation("hall.greet", Named, Greeting)
GREETED = Event("hall.greeted", Greeting)


async def greet(request: Named, caller: Caller) -> Greeting:
    return Greeting(text=f"hi {request.name}")


async def sleep(request: Named, caller: Caller) -> Greeting:
    await asyncio.sleep(60)
    return Greeting(text="late")


async def time_out(request: Named, caller: Caller) -> Greeting:
    raise TimeoutError("the database's own")


class TestAnswer:
    async def test_a_reply_is_encoded(self) -> None:
        assert await answer(Route(GREET, greet), b'{"name":"Ada"}', ANONYMOUS) == (
            "reply",
            b'{"text":"hi Ada"}',
        )

    async def test_a_request_past_its_deadline_is_dropped_before_any_work(self) -> None:
        ran = []

        async def handler(request: Named, caller: Caller) -> Greeting:
            ran.append(request)
            return Greeting(text="late")

        assert (
            await answer(Route(GREET, handler), b'{"name":"Ada"}', Caller(deadline=Deadline.after(-1)))
            is None
        )
        assert ran == []

    async def test_a_handler_is_stopped_at_its_deadline(self) -> None:
        assert (
            await answer(Route(GREET, sleep), b'{"name":"Ada"}', Caller(deadline=Deadline.after(0.02)))
            is None
        )

    async def test_a_handlers_own_time_out_is_an_internal_error(self) -> None:
        found = await answer(Route(GREET, time_out), b'{"name":"Ada"}', Caller(deadline=Deadline.after(5)))

        assert found is not None
        assert Problem.model_validate_json(found.body).code == "internal"

    async def test_a_handler_runs_on_its_callers_behalf(self) -> None:
        caller = Caller(identity=Identity("alice", "s1"), request_id="r-1")

        async def who(request: Named, given: Caller) -> Greeting:
            assert given is current_caller()
            return Greeting(text=given.request_id)

        assert await answer(Route(GREET, who), b'{"name":"Ada"}', caller) == ("reply", b'{"text":"r-1"}')


class TestHear:
    @pytest.mark.parametrize(("body", "heard"), [(b'{"text":"hi"}', True), (b"{}", False), (b"\xff", False)])
    async def test_only_what_can_be_read_is_heard(self, body: bytes, heard: bool) -> None:
        async def listener(payload: Greeting) -> None:
            assert payload.text == "hi"

        assert await hear(GREETED, listener, body, ANONYMOUS) is heard


class TestTasks:
    async def test_what_runs_is_finished(self) -> None:
        done = []

        async def work() -> None:
            await asyncio.sleep(0.01)
            done.append(1)

        tasks = Tasks()
        tasks.start(work())
        await tasks.finish(5)

        assert done == [1]

    async def test_what_does_not_finish_is_cancelled(self) -> None:
        stopped = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                stopped.set()

        tasks = Tasks()
        tasks.start(work())
        await asyncio.sleep(0)
        await tasks.finish(0.01)

        assert stopped.is_set()
