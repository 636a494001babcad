from __future__ import annotations

import asyncio

from libs.auth.chores import Chore, Chores


async def test_a_chore_comes_again() -> None:
    done = asyncio.Semaphore(0)

    async def work() -> None:
        done.release()

    chores = Chores(Chore("work", work, 0.001)).start()
    async with asyncio.timeout(30):
        for _ in range(3):
            await done.acquire()
    await chores.stop()


async def test_a_chore_that_fails_comes_again_and_the_others_too() -> None:
    tried, done = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def fail() -> None:
        tried.release()
        raise ZeroDivisionError

    async def work() -> None:
        done.release()

    chores = Chores(Chore("fail", fail, 0.001), Chore("work", work, 0.001)).start()
    async with asyncio.timeout(30):
        for _ in range(3):
            await tried.acquire()
            await done.acquire()
    await chores.stop()


async def test_a_stop_lets_the_present_run_finish() -> None:
    begun, finished = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.sleep(0.05)
        finished.set()

    chores = Chores(Chore("work", work, 0.001)).start()
    await begun.wait()
    await chores.stop()
    assert finished.is_set()


async def test_chores_that_never_started_stop_at_once() -> None:
    async def work() -> None:
        raise AssertionError

    await Chores(Chore("work", work, 0.001)).stop()
