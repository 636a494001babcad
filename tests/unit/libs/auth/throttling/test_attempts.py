"""How many passwords can be tried, and how long that takes, by the settings as they come."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from typing_extensions import override

from libs.auth import ProcessStore, ThrottleSettings
from libs.auth.callers import SignedIn
from libs.auth.throttling import Attempts, Refusals
from libs.domain.auth import InvalidCredentials, TooManyAttempts
from tests.fixtures.clock import StoppedClock

ANN = uuid4()
DAY = 86_400


class Unwritten(Refusals):
    """Writes nothing down."""

    def __init__(self) -> None: ...

    @override
    async def note(self, kind: str, login: str, address: str, account_id: UUID | None) -> None: ...


def judge(*, right: bool) -> None:
    if not right:
        raise InvalidCredentials


class World:
    """Passwords that are all wrong, unless it is said that one is right."""

    def __init__(self) -> None:
        self.now = 0.0
        store = ProcessStore(clock=lambda: self.now)
        self.attempts = Attempts(
            store, ThrottleSettings(), Unwritten(), secrets=[b"k" * 32], clock=StoppedClock()
        )

    async def again(self, who: SignedIn, password_id: str = "ours", *, right: bool = False) -> int:
        """Try a password; how many seconds to wait where it may not be tried now."""
        try:
            async with self.attempts.again(who, password_id, "192.0.2.7"):
                judge(right=right)
        except InvalidCredentials:
            return 0
        except TooManyAttempts as refused:
            return refused.retry_after or 0
        return 0

    async def tries(self, who: SignedIn, *, patience: int) -> tuple[int, list[int]]:
        """How many passwords a session may try that waits at most so long; and the waits."""
        tried, waits = 0, list[int]()
        while not waits or waits[-1] <= patience:
            wait = await self.again(who)
            if wait:
                waits.append(wait)
                self.now += wait if wait <= patience else 0
            else:
                tried += 1
        return tried, waits


def session() -> SignedIn:
    return SignedIn(ANN, uuid4())


@pytest.fixture
def world() -> World:
    return World()


async def test_a_session_may_try_ten_passwords_and_then_none_for_a_day(world: World) -> None:
    thief = session()
    assert await world.tries(thief, patience=3600) == (10, [1, 2, 4, 8, 16, DAY])
    world.now += DAY
    assert await world.again(thief) == 0


async def test_that_makes_no_other_session_wait(world: World) -> None:
    await world.tries(session(), patience=3600)
    assert await world.again(session(), right=True) == 0


async def test_all_sessions_may_try_fifty_between_them_and_then_none_for_a_day(world: World) -> None:
    tried = [(await world.tries(session(), patience=3600))[0] for _ in range(8)]
    assert (sum(tried), max(tried)) == (50, 10)
    assert await world.again(session(), right=True) > DAY - 1
    assert await world.again(session(), "another password", right=True) == 0


async def test_a_right_password_forgets_what_its_session_and_the_account_counted(world: World) -> None:
    own, others = session(), [session() for _ in range(4)]
    for who in (own, *others):
        assert [await world.again(who) for _ in range(4)] == [0] * 4
    assert await world.again(session()) == 1
    world.now += 1
    assert await world.again(own, right=True) == 0
    for who in (own, *others):
        assert await world.again(who) == 0


@pytest.mark.parametrize("attempts", [2, 3, 20, 51])
def test_one_session_cannot_make_its_account_wait_however_that_is_set(attempts: int) -> None:
    assert ThrottleSettings(login_attempts=attempts).session_limit < attempts
