from __future__ import annotations

from typing_extensions import override

from libs.auth.throttling import ProcessStore, Seldom


class Everywhere(ProcessStore):
    """What all processes share; counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    @override
    async def spend(self, key: str, *, interval: float, burst: int) -> float:
        self.asked += 1
        return await super().spend(key, interval=interval, burst=burst)


async def test_the_first_of_each_kind_is_found_once() -> None:
    seldom = Seldom(ProcessStore(), "x", seconds=60)
    assert [await seldom.first(kind) for kind in ("a", "a", "b", "a")] == [True, False, True, False]


async def test_of_many_processes_one_finds_it() -> None:
    everywhere = Everywhere()
    processes = [Seldom(everywhere, "x", seconds=60) for _ in range(3)]
    assert [await one.first("a") for one in processes] == [True, False, False]


async def test_a_storm_asks_nobody_else() -> None:
    everywhere = Everywhere()
    seldom = Seldom(everywhere, "x", seconds=60)
    for _ in range(100):
        await seldom.first("a")
    assert everywhere.asked == 1
