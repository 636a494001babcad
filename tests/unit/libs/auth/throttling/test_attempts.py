"""How many passwords can be tried, and how long that takes, by the settings as they come."""

from __future__ import annotations

from uuid import uuid4

import pytest
from typing_extensions import override

from libs.auth import ProcessStore, ThrottleSettings
from libs.auth.callers import Origin, SignedIn
from libs.auth.throttling import Attempts, Device, Refusals
from libs.domain.auth import InvalidCredentials, TooManyAttempts
from tests.fixtures.clock import StoppedClock

ANN = uuid4()
DAY = 86_400


class Unwritten(Refusals):
    """Writes nothing down."""

    def __init__(self) -> None: ...

    @override
    async def note(self, kind: str, login: str, origin: Origin, who: SignedIn | None = None) -> None: ...


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
            async with self.attempts.again(who, password_id, Origin(ip="192.0.2.7")):
                judge(right=right)
        except InvalidCredentials:
            return 0
        except TooManyAttempts as refused:
            return refused.retry_after or 0
        return 0

    async def of(
        self, login: str, ip: str = "192.0.2.7", device: Device | None = None, *, right: bool = False
    ) -> int:
        """The same for a sign-in."""
        try:
            async with self.attempts.of(login, Origin(ip=ip), device):
                judge(right=right)
        except InvalidCredentials:
            return 0
        except TooManyAttempts as refused:
            return refused.retry_after or 0
        return 0

    async def tries(self, one: SignedIn | Device, *, patience: int) -> tuple[int, list[int]]:
        """How many passwords a session or a device may try that waits at most so long; and the waits."""
        tried, waits = 0, list[int]()
        while not waits or waits[-1] <= patience:
            wait = await (self.again(one) if isinstance(one, SignedIn) else self.of("ann", device=one))
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


async def test_all_sessions_may_try_25_between_them_and_then_none_for_a_day(world: World) -> None:
    tried = [(await world.tries(session(), patience=3600))[0] for _ in range(8)]
    assert tried == [10, 10, 5, 0, 0, 0, 0, 0]
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
def test_one_alone_cannot_make_the_others_wait_however_that_is_set(attempts: int) -> None:
    assert ThrottleSettings(login_attempts=attempts).single_limit < attempts


def device() -> Device:
    return Device(ANN, uuid4().bytes)


async def test_a_stolen_device_may_try_ten_passwords_and_makes_no_other_wait(world: World) -> None:
    thief, own = device(), device()
    assert await world.tries(thief, patience=3600) == (10, [1, 2, 4, 8, 16, DAY])
    assert await world.of("ann", device=own, right=True) == 0
    assert await world.of("ann", device=thief, right=True) > DAY - 10


async def test_all_known_devices_may_try_25_between_them_however_many_there_are(world: World) -> None:
    tried = [(await world.tries(device(), patience=3600))[0] for _ in range(12)]
    assert tried == [10, 10, 5] + [0] * 9
    assert await world.of("ann", device=device(), right=True) > DAY - 1
    assert await world.of("ann", right=True) == 0  # without a device it is a stranger's try
    assert await world.of("bob", device=Device(uuid4(), b"d" * 16), right=True) == 0


async def test_one_password_is_guessed_a_hundred_times_at_most(world: World) -> None:
    tried = 0
    for login in ("ann", "ann@example.com"):
        for number in range(100):
            while (wait := await world.of(login, f"198.51.100.{number}")) < DAY - 1:
                tried += wait == 0
                world.now += wait
            assert wait <= DAY
    for thieves in (device, session):
        tried += sum([(await world.tries(thieves(), patience=3600))[0] for _ in range(12)])
    assert tried == 100


async def test_an_address_tries_many_names_only_so_fast(world: World) -> None:
    waits = [await world.of(f"name{number}") for number in range(300)]
    assert waits == [0] * 200 + [18] * 100
    assert await world.of("ann", right=True) == 18
    assert await world.of("ann", "198.51.100.9", right=True) == 0
    assert await world.of("ann", device=device(), right=True) == 0
    world.now += 18
    assert [await world.of(f"name{number}") for number in range(300, 303)] == [0, 18, 18]


async def test_a_success_gives_an_address_no_more_names_to_try(world: World) -> None:
    for number in range(200):
        assert await world.of(f"name{number}") == 0
        assert await world.of("mallory", right=True) == (0 if number < 199 else 18)


async def test_whoever_signs_in_rightly_uses_nothing_up(world: World) -> None:
    for number in range(1000):
        assert await world.of(f"pupil{number}", right=True) == 0


async def test_a_service_of_ours_has_no_address_to_count(world: World) -> None:
    assert [await world.of(f"name{number}", "") for number in range(300)] == [0] * 300
