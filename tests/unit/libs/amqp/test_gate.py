import asyncio

import pytest

from libs.amqp.gate import Gate


async def test_a_condition_that_holds_is_not_waited_for() -> None:
    await Gate().until(lambda: True, 0)


async def test_waiters_look_again_at_every_change() -> None:
    gate, value = Gate(), 0
    waiters = [asyncio.create_task(gate.until(lambda least=least: value >= least, 5)) for least in (1, 2)]  # type: ignore[misc]  # bound per turn
    await asyncio.sleep(0)

    value = 1
    gate.changed()
    await waiters[0]
    assert not waiters[1].done()

    value = 2
    gate.changed()
    await waiters[1]


async def test_the_wait_is_bounded_and_leaves_nothing_behind() -> None:
    gate = Gate()

    with pytest.raises(TimeoutError):
        await gate.until(lambda: False, 0.01)

    gate.changed()


async def test_an_error_of_the_condition_reaches_the_waiter() -> None:
    gate, closed = Gate(), False

    def look() -> bool:
        if closed:
            raise ConnectionError("closed")
        return False

    waiter = asyncio.create_task(gate.until(look, 5))
    await asyncio.sleep(0)
    closed = True
    gate.changed()

    with pytest.raises(ConnectionError):
        await waiter
