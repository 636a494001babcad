from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

import pytest

from libs.auth.hashing import HashPool, cores, expect_cores
from libs.messaging import Deadline, Overloaded


@pytest.fixture
async def pool() -> AsyncIterator[HashPool]:
    made = HashPool(threads=1, max_wait=1)
    yield made
    await made.close()


class Work:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.end.wait(30)
        return "done"


async def begun(work: Work) -> None:
    assert await asyncio.to_thread(work.begun.wait, 30)


def test_it_is_as_wide_as_the_cores() -> None:
    assert HashPool(threads=0, max_wait=1).threads == cores() >= 1


async def test_work_runs_beside_the_event_loop(pool: HashPool) -> None:
    assert await pool.run(threading.get_ident) != threading.get_ident()


async def test_what_work_raises_is_raised(pool: HashPool) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await pool.run(fail)
    assert await pool.run(lambda: "done") == "done"


async def test_beyond_the_wait_it_refuses_before_any_work(pool: HashPool) -> None:
    work, refused = Work(), Work()
    running = asyncio.create_task(pool.run(work))
    await begun(work)
    with pytest.raises(Overloaded):
        await pool.run(refused)
    assert not refused.begun.is_set()
    work.end.set()
    assert await running == "done"
    assert await pool.run(lambda: "done") == "done"


async def test_nobody_waits_beyond_a_deadline(pool: HashPool) -> None:
    work = Work()
    running = asyncio.create_task(pool.run(work))
    await begun(work)
    with pytest.raises(Overloaded):
        await pool.run(lambda: "late", Deadline.after(-1))
    work.end.set()
    await running


async def test_a_cancelled_caller_does_not_free_the_place_before_the_thread_is_free(pool: HashPool) -> None:
    work = Work()
    running = asyncio.create_task(pool.run(work))
    await begun(work)
    running.cancel()
    await asyncio.wait([running])
    with pytest.raises(Overloaded):
        await pool.run(lambda: "too early")
    work.end.set()
    async with asyncio.timeout(30):
        while True:
            try:
                assert await pool.run(lambda: "done") == "done"
            except Overloaded:
                continue
            break


async def test_closing_waits_for_what_runs() -> None:
    pool = HashPool(threads=1, max_wait=1)
    work = Work()
    running = asyncio.create_task(pool.run(work))
    await begun(work)
    work.end.set()
    await pool.close()
    assert await running == "done"


async def test_a_caller_who_goes_away_while_it_waits_leaves_no_work(pool: HashPool) -> None:
    work, left = Work(), Work()
    running = asyncio.create_task(pool.run(work))
    await begun(work)
    waiting = asyncio.create_task(pool.run(left))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    work.end.set()
    await running
    assert await pool.run(lambda: "done") == "done"
    assert not left.begun.is_set()


async def test_what_waits_when_it_closes_is_refused() -> None:
    pool = HashPool(threads=1, max_wait=30)
    work = Work()
    running = asyncio.create_task(pool.run(work))
    await begun(work)
    waiting = asyncio.create_task(pool.run(lambda: "never"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    with pytest.raises(Overloaded):
        await waiting
    work.end.set()
    await closing
    assert await running == "done"


async def test_threads_with_cores_of_their_own_leave_the_others_to_the_event_loop() -> None:
    before = os.sched_getaffinity(0)
    first, others = min(before), before - {min(before)}
    pool = HashPool(threads=0, max_wait=30, own={first})
    try:
        assert pool.threads == 1
        assert await pool.run(lambda: os.sched_getaffinity(0)) == {first}
        assert os.sched_getaffinity(0) == (others or before)
    finally:
        await pool.close()
    assert os.sched_getaffinity(0) == before


def test_cores_that_the_process_may_not_use_are_refused() -> None:
    expect_cores(frozenset())
    expect_cores(os.sched_getaffinity(0))
    with pytest.raises(ValueError, match="cores"):
        expect_cores({100_000})
