"""Pieces of work share workers, and never notice."""

import asyncio
from contextvars import ContextVar

import pytest

from libs.messaging.workers import Workers

_left: ContextVar[str] = ContextVar("left", default="nothing")


async def at_once(value: int) -> int:
    return value


async def after_a_while(value: int) -> int:
    await asyncio.sleep(0.01)
    return value


async def who() -> asyncio.Task[object] | None:
    return asyncio.current_task()


class TestWork:
    async def test_what_is_under_way_is_finished(self) -> None:
        results: list[int | None] = []

        workers: Workers[int] = Workers()
        for value in range(5):
            workers.start(after_a_while(value), done=results.append)
        await workers.finish(30)

        assert sorted(filter(None, results)) == [1, 2, 3, 4]

    async def test_work_that_waits_holds_up_nobody(self) -> None:
        results: asyncio.Queue[int | None] = asyncio.Queue()
        gate = asyncio.Event()

        async def held() -> int:
            await gate.wait()
            return 0

        workers: Workers[int] = Workers()
        for _ in range(3):
            workers.start(held(), done=results.put_nowait)
        workers.start(at_once(1), done=results.put_nowait)

        async with asyncio.timeout(30):
            assert await results.get() == 1
            gate.set()
            assert [await results.get() for _ in range(3)] == [0, 0, 0]
        await workers.finish(30)

    async def test_work_that_does_not_wait_shares_one_task(self) -> None:
        tasks: list[asyncio.Task[object] | None] = []

        workers: Workers[asyncio.Task[object] | None] = Workers()
        for _ in range(20):
            workers.start(who(), done=tasks.append)
        await workers.finish(30)

        assert len(tasks) == 20
        assert len(set(tasks)) == 1

    async def test_a_failing_callback_costs_nobody_else_a_result(self) -> None:
        results: list[int | None] = []
        failures: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(str(context["exception"])))

        def fail(_: int | None) -> None:
            raise RuntimeError("the callback's own")

        workers: Workers[int] = Workers()
        workers.start(at_once(1), done=fail)
        workers.start(at_once(2), done=results.append)
        await workers.finish(30)

        assert results == [2]
        assert failures == ["the callback's own"]


class TestStop:
    async def test_what_does_not_finish_is_stopped(self) -> None:
        results: list[int | None] = []

        async def work() -> int:
            await asyncio.sleep(60)
            return 1

        workers: Workers[int] = Workers()
        workers.start(work(), done=results.append)
        await asyncio.sleep(0)
        await workers.finish(0.01)

        assert results == [None]

    async def test_what_is_stopped_before_it_began_is_told_too(self) -> None:
        results: list[str | None] = []

        workers: Workers[str] = Workers()
        workers.start(asyncio.sleep(60, "late"), done=results.append)
        await workers.finish(0)

        assert results == [None]

    async def test_work_is_stopped_at_its_deadline_and_its_worker_goes_on(self) -> None:
        results: asyncio.Queue[str | None] = asyncio.Queue()
        workers: Workers[str] = Workers()

        workers.start(asyncio.sleep(60, "late"), done=results.put_nowait, within=0.02)
        async with asyncio.timeout(30):
            assert await results.get() is None
        workers.start(asyncio.sleep(0.01, "in time"), done=results.put_nowait, within=30)
        async with asyncio.timeout(30):
            assert await results.get() == "in time"
        await workers.finish(30)

    async def test_a_worker_whose_work_ignored_its_deadline_is_not_stopped_later(self) -> None:
        results: asyncio.Queue[str | None] = asyncio.Queue()

        async def stubborn() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "answered all the same"
            return "late"

        workers: Workers[str] = Workers()
        workers.start(stubborn(), done=results.put_nowait, within=0.02)
        async with asyncio.timeout(30):
            assert await results.get() == "answered all the same"
        workers.start(asyncio.sleep(0.01, "in time"), done=results.put_nowait)
        async with asyncio.timeout(30):
            assert await results.get() == "in time"
        await workers.finish(30)

    async def test_work_that_ignores_the_end_is_waited_for_once(self) -> None:
        results: list[str | None] = []

        async def stubborn() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "answered all the same"
            return "late"

        workers: Workers[str] = Workers()
        workers.start(stubborn(), done=results.append)
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await workers.finish(0.01)

        assert results == ["answered all the same"]


class TestContext:
    async def test_what_work_leaves_in_its_context_does_not_meet_the_next(self) -> None:
        seen: list[str | None] = []

        async def leaves() -> str:
            _left.set("something")
            return _left.get()

        async def looks() -> str:
            return _left.get()

        workers: Workers[str] = Workers()
        for work in (leaves(), looks(), leaves(), looks()):
            workers.start(work, done=seen.append)
        await workers.finish(30)

        assert seen == ["something", "nothing", "something", "nothing"]

    async def test_work_inherits_nothing_from_whoever_starts_it(self) -> None:
        seen: list[str | None] = []

        async def looks() -> str:
            return _left.get()

        async def start() -> None:
            _left.set("the starter's")
            workers.start(looks(), done=seen.append)

        workers: Workers[str] = Workers()
        await asyncio.create_task(start())
        await workers.finish(30)

        assert seen == ["nothing"]


class TestForeignCancel:
    @pytest.mark.parametrize("rests", [0, 1, 3], ids=["as it is done", "as it rests", "long at rest"])
    async def test_a_worker_that_is_cancelled_from_outside_leaves_no_work_behind(self, rests: int) -> None:
        results: asyncio.Queue[object] = asyncio.Queue()

        workers: Workers[object] = Workers()
        workers.start(who(), done=results.put_nowait)
        async with asyncio.timeout(30):
            task = await results.get()
            for _ in range(rests):
                await asyncio.sleep(0)
            assert isinstance(task, asyncio.Task)
            workers.start(at_once(1), done=results.put_nowait)
            task.cancel()
            workers.start(at_once(2), done=results.put_nowait)
            assert [await results.get(), await results.get()] == [1, 2]
        await workers.finish(30)

    async def test_one_that_ends_as_all_is_finished_is_told_once(self) -> None:
        async def leaves() -> str:
            await asyncio.sleep(0.01)
            _left.set("something")
            return "left"

        results: list[str | None] = []
        workers: Workers[str] = Workers()
        for _ in range(3):
            workers.start(leaves(), done=results.append)
        async with asyncio.timeout(30):
            await workers.finish(30)

        assert results == ["left"] * 3
