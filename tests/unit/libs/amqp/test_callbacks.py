import asyncio

import pytest

from libs.amqp.callbacks import Callbacks


def _fail() -> None:
    raise RuntimeError("at once")


async def _fail_later() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("later")


async def test_what_a_callback_raises_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    callbacks, called = Callbacks(), list[str]()

    for callback in (_fail, _fail_later, lambda: called.append("fine")):
        callbacks.call(callback)
    async with asyncio.timeout(30):
        while "later" not in caplog.text:  # ruff: ignore[async-busy-wait] - the log tells no event
            await asyncio.sleep(0)

    assert called == ["fine"]
    assert "at once" in caplog.text


async def test_closing_cancels_what_still_runs() -> None:
    callbacks, ended = Callbacks(), asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    callbacks.call(wait)
    await asyncio.sleep(0)
    await callbacks.close()

    assert ended.is_set()


async def test_a_callback_may_close_its_own_connection() -> None:
    callbacks, closed = Callbacks(), asyncio.Event()

    async def close() -> None:
        await callbacks.close()
        closed.set()

    callbacks.call(close)

    async with asyncio.timeout(30):
        await closed.wait()
