"""A delivery ends in one of three ways: a reply, a typed refusal, or nothing because nobody waits."""

import asyncio

import pytest

from libs.messaging import (
    ANONYMOUS,
    Caller,
    Event,
    Identity,
    Operation,
    Problem,
    Reply,
    Request,
    current_caller,
)
from libs.messaging.handlers import Handler, Route
from libs.messaging.listener import answer, hear


class Named(Request):
    name: str


class Greeting(Reply):
    text: str


GREET = Operation("hall.greet", Named, Greeting)
GREETED = Event("hall.greeted", Greeting)


async def greet(request: Named, caller: Caller) -> Greeting:
    return Greeting(text=f"hi {request.name}")


async def await_cancelled(request: Named, caller: Caller) -> Greeting:
    broken: asyncio.Future[Greeting] = asyncio.get_running_loop().create_future()
    broken.cancel()
    return await broken


async def time_out(request: Named, caller: Caller) -> Greeting:
    raise TimeoutError("the database's own")


class TestAnswer:
    async def test_a_reply_is_encoded(self) -> None:
        assert await answer(Route(GREET, greet), b'{"name":"Ada"}', ANONYMOUS) == (
            "reply",
            b'{"text":"hi Ada"}',
        )

    @pytest.mark.parametrize("handler", [time_out, await_cancelled], ids=["a time-out", "a cancelled wait"])
    async def test_a_handlers_own_trouble_is_an_internal_error(
        self, handler: Handler[Named, Greeting]
    ) -> None:
        found = await answer(Route(GREET, handler), b'{"name":"Ada"}', ANONYMOUS)

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

    async def test_a_listener_that_awaits_what_was_cancelled_has_failed(self) -> None:
        async def listener(payload: Greeting) -> None:
            broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            broken.cancel()
            await broken

        assert await hear(GREETED, listener, b'{"text":"hi"}', ANONYMOUS) is False

    async def test_a_listener_that_is_stopped_has_not_failed(self) -> None:
        begun = asyncio.Event()

        async def listener(payload: Greeting) -> None:
            begun.set()
            await asyncio.Event().wait()

        hearing = asyncio.create_task(hear(GREETED, listener, b'{"text":"hi"}', ANONYMOUS))
        await begun.wait()
        hearing.cancel()

        with pytest.raises(asyncio.CancelledError):
            await hearing
