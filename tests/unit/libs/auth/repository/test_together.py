from __future__ import annotations

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import pytest

from libs.auth.repository.together import Together


class Library:
    """Answers when it is told to, and writes down what it was asked for."""

    def __init__(self) -> None:
        self.questions: list[set[int]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def ask(self, keys: AbstractSet[int]) -> Mapping[int, str]:
        self.questions.append(set(keys))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: f"book {key}" for key in keys if key >= 0}


def callers(together: Together[int, str], *keys: int) -> list[asyncio.Task[str | None]]:
    return [asyncio.create_task(together.get(key)) for key in keys]


async def until_they_wait() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_while_a_question_is_under_way_goes_into_the_next() -> None:
    library = Library()
    together = Together(library.ask)
    first = callers(together, 1)
    await until_they_wait()
    others = callers(together, 2, 3, 2, -1)
    await until_they_wait()
    assert library.questions == [{1}]
    library.gate.set()
    assert await asyncio.gather(*first, *others) == ["book 1", "book 2", "book 3", "book 2", None]
    assert library.questions == [{1}, {2, 3, -1}]


async def test_nobody_gets_what_was_read_before_it_came() -> None:
    library = Library()
    together = Together(library.ask)
    first = callers(together, 1)
    await until_they_wait()
    again = callers(together, 1)
    library.gate.set()
    await asyncio.gather(*first, *again)
    assert library.questions == [{1}, {1}]


async def test_a_failure_is_everybodys_and_the_next_question_is_asked_anew() -> None:
    library = Library()
    together = Together(library.ask)
    library.error = OSError("away")
    all_of_them = callers(together, 1, 2, 3)
    await until_they_wait()
    library.gate.set()
    failed = await asyncio.gather(*all_of_them, return_exceptions=True)
    assert [str(one) for one in failed] == ["away"] * 3
    assert library.questions == [{1}, {2, 3}]
    library.error = None
    assert await together.get(4) == "book 4"


async def test_where_the_one_who_asks_is_cancelled_the_next_one_asks() -> None:
    library = Library()
    together = Together(library.ask)
    asking, *others = callers(together, 1, 2, 3)
    await until_they_wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    library.gate.set()
    assert await asyncio.gather(*others) == ["book 2", "book 3"]
    assert library.questions == [{1}, {2, 3}]


async def test_one_who_is_cancelled_while_it_waits_is_not_asked_for() -> None:
    library = Library()
    together = Together(library.ask)
    first = callers(together, 1)
    await until_they_wait()
    waiting, other = callers(together, 2, 3)
    await until_they_wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    library.gate.set()
    assert await asyncio.gather(*first, other) == ["book 1", "book 3"]
    assert library.questions == [{1}, {3}]
