"""Counting failures and rates: in the process and in a real Redis, by the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.auth.throttling import (
    Allowance,
    Ladder,
    Outcome,
    ProcessStore,
    RedisStore,
    SharedStore,
    Store,
    Subject,
)
from libs.infra.redis import RedisConnections, RedisSettings
from tests.fixtures.accounts import eventually
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import SessionServices

SLOW = Ladder(free=3, limit=6, first=100.0, longest=300.0, memory=600.0)
QUICK = Ladder(free=1, limit=50, first=0.05, longest=0.05, memory=600.0)


@asynccontextmanager
async def redis_store(url: str, timeout: float = 5.0) -> AsyncGenerator[RedisStore]:
    settings = RedisSettings.model_validate({"url": SecretStr(url), "timeout": timeout})
    connections = await RedisConnections.open(settings)
    try:
        yield RedisStore(connections)
    finally:
        await connections.close()


@pytest.fixture(params=["process", "redis"])
async def store(request: pytest.FixtureRequest, services: SessionServices) -> AsyncIterator[Store]:
    if request.param == "process":
        yield ProcessStore()
        return
    services.redis.flush()
    async with redis_store(services.redis.url) as store:
        yield store


async def fail(store: Store, *subjects: Subject) -> None:
    assert await store.admit(subjects) == 0
    await store.settle(subjects, Outcome.FAILED)


async def admitted(store: Store, *subjects: Subject) -> None:
    """Wait until an attempt is admitted."""

    async def free() -> bool:
        return await store.admit(subjects) == 0

    await eventually(free)


class TestFailures:
    async def test_the_first_cost_nothing_and_the_next_must_wait(self, store: Store) -> None:
        ann = Subject("ann", SLOW)
        for _ in range(3):
            await fail(store, ann)
        assert 50 < await store.admit([ann]) <= 100

    async def test_a_success_forgets_them(self, store: Store) -> None:
        ann = Subject("ann", SLOW)
        for outcome in [Outcome.FAILED, Outcome.FAILED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.FAILED]:
            assert await store.admit([ann]) == 0
            await store.settle([ann], outcome)
        assert await store.admit([ann]) == 0

    async def test_what_was_not_judged_does_not_count(self, store: Store) -> None:
        ann = Subject("ann", SLOW)
        for _ in range(20):
            assert await store.admit([ann]) == 0
            await store.settle([ann], Outcome.DROPPED)
        for _ in range(3):
            await fail(store, ann)
        assert await store.admit([ann]) > 0

    async def test_right_attempts_run_side_by_side(self, store: Store) -> None:
        ann = Subject("ann", SLOW)
        assert [await store.admit([ann]) for _ in range(6)] == [0] * 6
        assert await store.admit([ann]) == 1  # more could exceed the limit, were all of them wrong

    async def test_wrong_ones_cannot_slip_through_side_by_side(self, store: Store) -> None:
        ann = Subject("ann", QUICK)
        await fail(store, ann)
        await admitted(store, ann)
        assert await store.admit([ann]) == 1
        await store.settle([ann], Outcome.FAILED)
        await admitted(store, ann)

    async def test_at_the_limit_nothing_is_admitted_until_all_is_forgotten(self, store: Store) -> None:
        steps = Ladder(free=50, limit=4, first=1.0, longest=1.0, memory=600.0)
        ann = Subject("ann", steps)
        for _ in range(4):
            await fail(store, ann)
        assert 590 < await store.admit([ann]) <= 600

    async def test_they_are_forgotten_after_their_time(self, store: Store) -> None:
        ann = Subject("ann", Ladder(free=1, limit=1, first=0.05, longest=0.05, memory=0.05))
        await fail(store, ann)
        await admitted(store, ann)

    async def test_the_longer_wait_holds_and_a_refusal_books_nothing(self, store: Store) -> None:
        narrow, wide = Subject("ann here", SLOW), Subject("ann", SLOW)
        for _ in range(3):
            await fail(store, narrow)
        assert await store.admit([narrow, wide]) > 50
        for _ in range(2):
            await fail(store, wide)
        assert await store.admit([wide]) == 0

    async def test_subjects_are_strangers_to_each_other(self, store: Store) -> None:
        for _ in range(3):
            await fail(store, Subject("ann", SLOW))
        assert await store.admit([Subject("bob", SLOW)]) == 0


class TestAllowances:
    """Failures over time, of which a success gives none back."""

    async def test_failures_use_it_up_whatever_succeeds_between_them(self, store: Store) -> None:
        here = Allowance("here", interval=100.0, burst=3)
        for number in range(3):
            for outcome in (Outcome.SUCCEEDED, Outcome.DROPPED, Outcome.FAILED):
                one = [Subject(f"{outcome} {number}", SLOW)]
                assert await store.admit(one, here) == 0
                await store.settle(one, outcome, here)
        fresh = [Subject("fresh", SLOW)]
        assert 50 < await store.admit(fresh, here) <= 100
        assert await store.admit(fresh, Allowance("there", interval=100.0, burst=3)) == 0

    async def test_no_more_than_are_left_run_side_by_side(self, store: Store) -> None:
        here = Allowance("here", interval=100.0, burst=3)
        ones = [[Subject(f"name {number}", SLOW)] for number in range(5)]
        assert [await store.admit(one, here) > 0 for one in ones] == [False] * 3 + [True] * 2
        await store.settle(ones[0], Outcome.SUCCEEDED, here)
        assert await store.admit(ones[3], here) == 0

    async def test_who_must_wait_for_another_reason_uses_nothing_up(self, store: Store) -> None:
        here, ann = Allowance("here", interval=100.0, burst=1), Subject("ann", SLOW)
        for _ in range(3):
            await fail(store, ann)
        assert await store.admit([ann], here) > 50
        assert await store.admit([Subject("bob", SLOW)], here) == 0

    async def test_it_comes_back(self, store: Store) -> None:
        here = Allowance("here", interval=0.05, burst=1)
        ann = [Subject("ann", Ladder(free=50, limit=50, first=1.0, longest=1.0, memory=600.0))]
        for _ in range(3):

            async def free() -> bool:
                return await store.admit(ann, here) == 0

            await eventually(free)
            await store.settle(ann, Outcome.FAILED, here)


class TestRates:
    async def test_a_burst_and_then_one_after_the_other(self, store: Store) -> None:
        waits = [await store.spend("192.0.2.7", interval=100, burst=3) for _ in range(4)]
        assert waits[:3] == [0, 0, 0]
        assert 50 < waits[3] <= 100

    async def test_turns_come_back(self, store: Store) -> None:
        assert await store.spend("192.0.2.7", interval=0.05, burst=1) == 0
        async with asyncio.timeout(30):
            while wait := await store.spend("192.0.2.7", interval=0.05, burst=1):
                assert wait <= 0.05
                await asyncio.sleep(wait)

    async def test_others_have_turns_of_their_own(self, store: Store) -> None:
        assert await store.spend("192.0.2.7", interval=100, burst=1) == 0
        assert await store.spend("192.0.2.8", interval=100, burst=1) == 0


async def test_two_processes_count_together(redis_url: str) -> None:
    ann = Subject("ann", SLOW)
    async with redis_store(redis_url) as one, redis_store(redis_url) as other:
        outcomes = await asyncio.gather(
            *([one.admit([ann]) for _ in range(8)] + [other.admit([ann]) for _ in range(8)])
        )
        assert sorted(outcomes) == [0] * 6 + [1] * 10
        for store in (one, other, one):
            await store.settle([ann], Outcome.FAILED)
        assert await other.admit([ann]) > 50
        spent = await asyncio.gather(
            *(store.spend("a", interval=100, burst=10) for store in (one, other) * 10)
        )
        assert spent.count(0) == 10


async def test_what_redis_keeps_has_an_end(redis_url: str) -> None:
    settings = RedisSettings.model_validate({"url": SecretStr(redis_url)})
    connections = await RedisConnections.open(settings)
    store = RedisStore(connections)
    await fail(store, Subject("failed", SLOW))
    await store.admit([Subject("running", SLOW)])
    await store.spend("spent", interval=100, burst=3)
    await store.admit([Subject("running", SLOW)], Allowance("here", interval=100.0, burst=3))
    found = {name: await connections.client.ttl(name) for name in await connections.client.keys("*")}
    await connections.close()
    assert found.keys() == {
        f"gatehouse:{{throttle}}:{name}" for name in ("failed", "running", "spent", "here")
    }
    assert all(0 < seconds <= 600 for seconds in found.values())


class TestWithoutRedis:
    async def test_each_process_counts_for_itself_until_redis_is_back_and_the_log_says_so(
        self, services: SessionServices, redis_url: str
    ) -> None:
        ann = Subject("ann", SLOW)
        async with Proxy.to(redis_url) as proxy, redis_store(proxy.url(redis_url)) as redis:
            store = SharedStore(redis, pause=0.05)
            for _ in range(2):
                await fail(store, ann)
            with capture_logs() as logs:
                proxy.refuse = True
                proxy.cut()
                for _ in range(3):
                    await fail(store, ann)
                assert await store.admit([ann]) > 50
                proxy.refuse = False
                async with asyncio.timeout(30):
                    while len(logs) < 2:
                        await store.spend("any", interval=0.001, burst=1)
                        await asyncio.sleep(0.01)
            assert [one["event"] for one in logs] == ["throttles_per_process", "throttles_shared_again"]
            await fail(store, ann)  # the third that Redis hears of
            assert await store.admit([ann]) > 50

    async def test_a_silent_redis_is_waited_for_by_one_caller_at_a_time(self, redis_url: str) -> None:
        async with Proxy.to(redis_url) as proxy, redis_store(proxy.url(redis_url), timeout=3) as redis:
            store = SharedStore(redis, pause=60)
            proxy.swallow = True
            with capture_logs() as logs:
                assert await store.spend("a", interval=100, burst=1) == 0
                async with asyncio.timeout(2.5):  # less than one look at Redis takes
                    for _ in range(100):
                        assert await store.spend("a", interval=100, burst=1) > 0
            assert len(logs) == 1

    async def test_a_redis_that_was_started_anew_is_used_at_once(
        self, services: SessionServices, redis_url: str
    ) -> None:
        ann, server = Subject("ann", SLOW), services.redis
        async with redis_store(redis_url) as redis:
            store = SharedStore(redis, pause=0.05)
            await fail(store, ann)
            await asyncio.to_thread(server.stop)
            await fail(store, ann)
            await asyncio.to_thread(server.start)
            with capture_logs() as logs:
                async with asyncio.timeout(30):
                    while not logs:
                        await store.spend("any", interval=0.001, burst=1)
                        await asyncio.sleep(0.01)
            for _ in range(3):  # it was empty, and knows its scripts again
                await fail(store, ann)
            assert await store.admit([ann]) > 50
