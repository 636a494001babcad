from __future__ import annotations

from libs.auth.throttling import Ladder, Outcome, ProcessStore, Subject

LADDER = Ladder(free=2, limit=5, first=1.0, longest=4.0, memory=60.0)


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def fail(store: ProcessStore, *subjects: Subject) -> None:
    assert await store.admit(subjects) == 0
    await store.settle(subjects, Outcome.FAILED)


async def test_each_wait_is_twice_the_one_before_and_then_nothing_is_admitted() -> None:
    time = Time()
    store, ann = ProcessStore(clock=time), Subject("ann", LADDER)
    waits = []
    for _ in range(5):
        await fail(store, ann)
        waits.append(await store.admit([ann]))
        if waits[-1]:
            time.now += waits[-1]
        else:
            await store.settle([ann], Outcome.DROPPED)
    assert waits == [0, 1, 2, 4, 60]
    assert await store.admit([ann]) == 0  # forgotten


async def test_an_attempt_that_never_ends_is_forgotten() -> None:
    time = Time()
    store, ann = ProcessStore(clock=time), Subject("ann", LADDER)
    for _ in range(2):
        await fail(store, ann)
    time.now += 1
    assert await store.admit([ann]) == 0
    assert await store.admit([ann]) == 1
    time.now += 30
    assert await store.admit([ann]) == 0


async def test_it_holds_no_more_than_its_capacity() -> None:
    store = ProcessStore(capacity=100, clock=Time())
    for number in range(1000):
        await fail(store, Subject(f"name {number}", LADDER))
        await store.spend(f"address {number}", interval=1, burst=1)
    assert len(store) == 200


async def test_what_succeeds_leaves_nothing() -> None:
    store, ann = ProcessStore(), Subject("ann", LADDER)
    await fail(store, ann)
    await store.admit([ann])
    await store.settle([ann], Outcome.SUCCEEDED)
    assert len(store) == 0
