from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from libs.auth.repository import Login
from libs.auth.throttling import Devices
from libs.domain.auth import DeviceToken
from tests.fixtures.clock import StoppedClock

CHOSEN = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def login(number: int, since: datetime | None = CHOSEN, hash_: str = "hash") -> Login:
    return Login(
        UUID(int=number),
        active=True,
        verified=True,
        hash=hash_,
        names=(),
        roles=(),
        updated_at=CHOSEN,
        password_since=since,
    )


ANN, BOB = login(1), login(2)
NEW, OLD = b"n" * 32, b"o" * 32


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def devices(clock: StoppedClock) -> Devices:
    return Devices([NEW], seconds=60, clock=clock)


def test_a_device_is_known_to_the_account_that_signed_in_on_it_and_to_no_other(devices: Devices) -> None:
    token = devices.token(ANN)
    assert devices.known(token, ANN) is not None
    assert devices.known(token, BOB) is None
    assert devices.known(token, None) is None


def test_a_device_stays_the_same_when_its_token_is_made_anew(devices: Devices, clock: StoppedClock) -> None:
    first = devices.token(ANN)
    device = devices.known(first, ANN)
    clock.advance(30)
    second = devices.token(ANN, device)
    assert second != first
    assert devices.known(second, ANN) == device


def test_every_new_device_is_another_one(devices: Devices) -> None:
    assert devices.known(devices.token(ANN), ANN) != devices.known(devices.token(ANN), ANN)


def test_a_device_is_forgotten_after_its_time(devices: Devices, clock: StoppedClock) -> None:
    token = devices.token(ANN)
    clock.advance(59)
    assert devices.known(token, ANN) is not None
    clock.advance(1)
    assert devices.known(token, ANN) is None


def test_an_older_secret_is_still_believed(clock: StoppedClock) -> None:
    token = Devices([OLD], seconds=60, clock=clock).token(ANN)
    assert Devices([NEW, OLD], seconds=60, clock=clock).known(token, ANN) is not None
    assert Devices([NEW], seconds=60, clock=clock).known(token, ANN) is None


@pytest.mark.parametrize("damage", ["", "x", "A" * 48, "é" * 48, "!" * 48, "=" * 48, "A" * 128])
def test_what_we_did_not_sign_names_no_device(devices: Devices, damage: str) -> None:
    assert devices.known(damage, ANN) is None


def test_each_character_of_a_token_counts(devices: Devices) -> None:
    token = devices.token(ANN)
    for place, letter in enumerate(token):
        changed = token[:place] + ("B" if letter == "A" else "A") + token[place + 1 :]
        assert devices.known(changed, ANN) is None


def test_a_token_fits_its_field(devices: Devices) -> None:
    assert len(TypeAdapter(DeviceToken).validate_python(devices.token(ANN))) == 48


def test_with_another_password_no_device_is_known_any_more(devices: Devices) -> None:
    tokens = [devices.token(ANN) for _ in range(3)]
    changed = login(1, CHOSEN + timedelta(microseconds=1))
    assert [devices.known(token, changed) for token in tokens] == [None] * 3
    assert devices.known(tokens[0], login(1, None)) is None
    assert devices.known(devices.token(changed), ANN) is None


def test_another_hash_of_the_same_password_forgets_no_device(devices: Devices) -> None:
    assert devices.known(devices.token(ANN), login(1, hash_="another")) is not None


def test_it_is_the_moment_that_counts_and_not_how_the_database_writes_it(devices: Devices) -> None:
    elsewhere = CHOSEN.astimezone(timezone(timedelta(hours=3)))
    assert devices.known(devices.token(ANN), login(1, elsewhere)) is not None
