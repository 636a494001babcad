"""Failed sign-ins slow down whoever fails, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.auth import ProcessStore, Rates, ThrottleSettings
from libs.domain.auth import (
    ChangePasswordRequest,
    InvalidCredentials,
    LoginReply,
    LoginRequest,
    TooManyAttempts,
)
from libs.messaging import Caller, Client, Empty, Overloaded
from tests.fixtures.accounts import PASSWORD, AuthWorld, auth_world
from tests.fixtures.database import MigratedDatabase

THROTTLES = ThrottleSettings(
    attempts=3, login_attempts=6, login_limit=8, first_delay=100, longest_delay=100, register_per_hour=2
)
ANN = "ann@example.com"
HOME, STRANGER = "192.0.2.7", "198.51.100.9"


class HashCount:
    """Counts the hashes that a world's pool computes."""

    def __init__(self, world: AuthWorld) -> None:
        self.hashes = 0
        self._run = world.pool.run
        world.pool.run = self.run  # type: ignore[method-assign,assignment]  # counts, and changes nothing

    async def run(self, *args: object) -> object:
        self.hashes += 1
        return await self._run(*args)  # type: ignore[arg-type]  # passed on as it came


@pytest.fixture
async def world(database: MigratedDatabase) -> AsyncIterator[AuthWorld]:
    async with auth_world(database.url, throttles=THROTTLES) as world:
        await world.register(ANN, "ann")
        yield world


async def sign_in(
    world: AuthWorld, password: str = PASSWORD, *, login: str = ANN, ip: str = HOME, device: str | None = None
) -> LoginReply:
    request = LoginRequest(login=login, password=password, device_token=device)
    return await world.accounts.login(request, Caller(client=Client(ip=ip)))


async def fail(world: AuthWorld, times: int, **how: str) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await sign_in(world, "wrong password", **how)


async def test_who_fails_too_often_must_wait_even_with_the_right_password(world: AuthWorld) -> None:
    await fail(world, 3)
    count = HashCount(world)
    with pytest.raises(TooManyAttempts) as refused:
        await sign_in(world)
    assert (refused.value.status, refused.value.retry_after) == (429, 100)
    assert count.hashes == 0


async def test_a_sign_in_that_succeeds_forgets_the_failures(world: AuthWorld) -> None:
    for _ in range(3):
        await fail(world, 2)
        await sign_in(world)


async def test_only_failures_count(world: AuthWorld) -> None:
    for _ in range(20):
        await sign_in(world)


async def test_what_overload_refused_is_no_failure(world: AuthWorld) -> None:
    async def overloaded(*args: object) -> object:
        raise Overloaded

    run, world.pool.run = world.pool.run, overloaded  # type: ignore[method-assign,assignment]
    for _ in range(20):
        with pytest.raises(Overloaded):
            await sign_in(world, "wrong password")
    world.pool.run = run  # type: ignore[method-assign]
    await fail(world, 3)


async def test_an_unknown_login_is_treated_as_a_known_one(world: AuthWorld) -> None:
    for login in (ANN, "nobody@example.com", "nobody"):
        await fail(world, 3, login=login, ip=STRANGER)
        with pytest.raises(TooManyAttempts) as refused:
            await sign_in(world, login=login, ip=STRANGER)
        assert refused.value.problem() == TooManyAttempts(retry_after=100).problem()


@pytest.mark.parametrize("login", ["ANN@Example.com", "\uff41nn@example.com"])
async def test_another_way_to_write_a_login_is_the_same_one(world: AuthWorld, login: str) -> None:
    await fail(world, 3)
    with pytest.raises(TooManyAttempts):
        await sign_in(world, login=login)


async def test_others_at_other_addresses_are_not_concerned(world: AuthWorld) -> None:
    await fail(world, 3, ip=STRANGER)
    await sign_in(world)


async def test_a_network_of_ipv6_is_one_address(world: AuthWorld) -> None:
    for number in range(3):
        await fail(world, 1, ip=f"2001:db8::{number}")
    with pytest.raises(TooManyAttempts):
        await sign_in(world, ip="2001:db8::ffff")


async def test_failures_from_everywhere_add_up(world: AuthWorld) -> None:
    for number in range(6):
        await fail(world, 1, ip=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        await sign_in(world, ip="203.0.113.1")


async def test_strangers_cannot_keep_a_known_device_out(world: AuthWorld) -> None:
    device = (await sign_in(world)).device_token
    for number in range(6):
        await fail(world, 1, ip=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        await sign_in(world)
    renewed = (await sign_in(world, device=device)).device_token
    await sign_in(world, ip="203.0.113.1", device=renewed)
    with pytest.raises(TooManyAttempts):  # and what the strangers did is not forgotten for it
        await sign_in(world, ip=STRANGER)


async def test_a_known_device_has_a_ladder_of_its_own(world: AuthWorld) -> None:
    device = (await sign_in(world)).device_token
    await fail(world, 3, device=device)
    with pytest.raises(TooManyAttempts):
        await sign_in(world, ip=STRANGER, device=device)
    await sign_in(world)


async def test_devices_made_known_in_advance_are_worth_nothing_once_the_password_is_changed(
    world: AuthWorld,
) -> None:
    known = [(await sign_in(world)).device_token for _ in range(4)]
    own = await sign_in(world, device=known[0])
    world.clock.advance(1)
    await change(world, world.caller(own), PASSWORD)
    for device in known[:3]:
        await fail(world, 1, device=device)
    with pytest.raises(TooManyAttempts):
        await sign_in(world, "eight blue bottles", device=known[3])


async def test_all_known_devices_add_up(world: AuthWorld) -> None:
    devices = [(await sign_in(world)).device_token for _ in range(4)]
    for device in devices[:2]:
        await fail(world, 3, device=device, ip=STRANGER)
    with pytest.raises(TooManyAttempts):
        await sign_in(world, device=devices[3])
    await sign_in(world)


async def test_a_rehash_forgets_no_device(world: AuthWorld) -> None:
    device = (await sign_in(world)).device_token
    ((hash_,),) = await world.rows("SELECT hash FROM auth.credentials")
    again = await world.rules.passwords.hash(PASSWORD)
    async with world.storage.transaction() as stored:
        account = await stored.accounts.by_login(ANN)
        assert account is not None
        await stored.accounts.rehash(account.account_id, old=hash_, new=again)
    for number in range(6):
        await fail(world, 1, ip=f"198.51.100.{number}")
    await sign_in(world, device=device)


@pytest.mark.parametrize("device", ["", "x", "A" * 48])
async def test_a_token_that_names_no_device_is_ignored(world: AuthWorld, device: str) -> None:
    await fail(world, 3, device=device)
    with pytest.raises(TooManyAttempts):
        await sign_in(world, device=device)


async def test_a_device_is_known_to_its_account_only(world: AuthWorld) -> None:
    await world.register("bob@example.com")
    bobs = (await sign_in(world, login="bob@example.com")).device_token
    await fail(world, 3, device=bobs)
    with pytest.raises(TooManyAttempts):
        await sign_in(world, device=bobs)


async def test_an_address_registers_only_so_often() -> None:
    rates = Rates(ProcessStore(), THROTTLES)

    async def handler(request: str, caller: Caller) -> str:
        return request

    limited = rates.limited(rates.register, handler)  # type: ignore[type-var]  # any request will do
    caller = Caller(client=Client(ip=HOME))
    for _ in range(2):
        assert await limited("registered", caller) == "registered"
    with pytest.raises(TooManyAttempts) as refused:
        await limited("registered", caller)
    assert refused.value.retry_after == 1800
    assert await limited("registered", Caller(client=Client(ip=STRANGER))) == "registered"
    for _ in range(3):
        assert await limited("registered", Caller()) == "registered"  # a service, on its own behalf


def test_a_rate_of_zero_is_no_limit() -> None:
    rates = Rates(ProcessStore(), ThrottleSettings(refresh_per_minute=0))

    async def handler(request: str, caller: Caller) -> str:
        return request

    assert rates.limited(rates.refresh, handler) is handler  # type: ignore[type-var]  # any request will do


async def change(world: AuthWorld, caller: Caller, password: str = "wrong password") -> None:
    request = ChangePasswordRequest(current_password=password, new_password="eight blue bottles")
    await world.rules.password_change.change(request, caller)


async def fail_to_change(world: AuthWorld, caller: Caller, times: int) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await change(world, caller)


async def test_a_stolen_token_does_not_let_guess_the_password(world: AuthWorld) -> None:
    caller = world.caller(await sign_in(world))
    await fail_to_change(world, caller, 3)
    count = HashCount(world)
    for address in (HOME, STRANGER):
        with pytest.raises(TooManyAttempts):
            await change(world, caller._replace(client=Client(ip=address)), PASSWORD)
    assert count.hashes == 0
    await sign_in(world)


async def test_a_stolen_session_cannot_use_up_the_tries_of_the_others(world: AuthWorld) -> None:
    stolen, own = world.caller(await sign_in(world)), world.caller(await sign_in(world))
    await fail_to_change(world, stolen, 3)
    with pytest.raises(TooManyAttempts):
        await change(world, stolen)
    await fail_to_change(world, own, 2)
    await change(world, own, PASSWORD)


async def test_many_stolen_sessions_do_not_add_up_to_many_guesses(world: AuthWorld) -> None:
    for _ in range(2):
        await fail_to_change(world, world.caller(await sign_in(world)), 3)
    another = world.caller(await sign_in(world))
    with pytest.raises(TooManyAttempts):
        await change(world, another, PASSWORD)


async def test_a_password_that_was_set_anew_is_counted_anew(world: AuthWorld) -> None:
    account = await world.accounts.me(Empty(), world.caller(await sign_in(world)))
    for _ in range(2):
        await fail_to_change(world, world.caller(await sign_in(world)), 3)
    async with world.storage.transaction() as stored:
        new = await world.rules.passwords.hash("nine red bottles")
        await stored.owners.set_password(account.id, new, world.clock.now())
    await change(world, world.caller(await sign_in(world, "nine red bottles")), "nine red bottles")


async def test_strangers_cannot_use_up_the_tries_of_somebody_who_is_signed_in(world: AuthWorld) -> None:
    caller = world.caller(await sign_in(world))
    assert caller.identity is not None
    for number in range(6):  # an account's id is no secret
        await fail(world, 1, login=caller.identity.sub, ip=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        await sign_in(world, login=caller.identity.sub)

    await change(world, caller, PASSWORD)
    await sign_in(world, "eight blue bottles")


async def test_many_names_from_one_address_wait_and_fill_no_log(database: MigratedDatabase) -> None:
    async with auth_world(database.url, throttles=ThrottleSettings(failures_per_hour=4)) as world:
        await world.register(ANN)
        device = (await sign_in(world)).device_token
        for number in range(4):
            await fail(world, 1, login=f"name{number}")
        for number in range(30):
            with pytest.raises(TooManyAttempts) as refused:
                await sign_in(world, login=f"other{number}")
            assert refused.value.retry_after in {899, 900}
        assert len(await throttled(world)) == 10
        await sign_in(world, device=device)
        await sign_in(world, ip=STRANGER)


async def throttled(world: AuthWorld) -> list[tuple[object, str]]:
    """Whom the audit log tells of, and the addresses."""
    rows = await world.rows(
        "SELECT account_id, ip FROM auth.audit_log WHERE event = 'login.throttled' ORDER BY id"
    )
    return [(row.account_id, row.ip) for row in rows]


async def test_of_a_storm_one_refusal_is_written_down_for_each_login(world: AuthWorld) -> None:
    ((ann,),) = await world.rows("SELECT id FROM auth.accounts")
    for login in (ANN, "nobody@example.com"):
        await fail(world, 3, login=login)
        for _ in range(5):
            with pytest.raises(TooManyAttempts):
                await sign_in(world, login=login)
    assert await throttled(world) == [(ann, HOME), (None, HOME)]


async def test_a_throttled_proof_of_the_password_names_its_account(world: AuthWorld) -> None:
    caller = world.caller(await sign_in(world))
    for expected in (InvalidCredentials, InvalidCredentials, InvalidCredentials, TooManyAttempts):
        with pytest.raises(expected):
            await change(world, caller)
    ((ann,),) = await world.rows("SELECT id FROM auth.accounts")
    assert [account for account, _ in await throttled(world)] == [ann]
