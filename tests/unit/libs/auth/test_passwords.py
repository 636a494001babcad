from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.auth.hashing import HashPool
from libs.auth.passwords import COMMON, Passwords, common_passwords
from libs.auth.settings import PasswordSettings
from libs.messaging import ValidationFailed

QUICK = PasswordSettings(memory=7168, passes=1)


@pytest.fixture
async def pool() -> AsyncIterator[HashPool]:
    made = HashPool(threads=1, max_wait=10)
    yield made
    await made.close()


@pytest.fixture
async def passwords(pool: HashPool) -> Passwords:
    return await Passwords.create(QUICK, pool)


async def reason(passwords: Passwords, password: str) -> str:
    with pytest.raises(ValidationFailed) as refused:
        await passwords.check_new(password)
    (error,) = refused.value.errors
    assert error.field == "password"
    return error.message


def test_the_shipped_list_is_long_enough() -> None:
    common = common_passwords()
    assert len(common) >= 10_000
    assert {"password", "123456789", "qwertyuiop", "iloveyou"} <= common


def test_the_parameters_are_those_that_owasp_asks_for() -> None:
    usual = PasswordSettings()
    assert (usual.memory, usual.passes, usual.min_length) == (19_456, 2, 8)


class TestCheckNew:
    @pytest.mark.parametrize("password", ["password1", "PassWord1", "1234567890", "\uff31\uff37ertyuiop"])
    async def test_a_common_password_is_refused(self, passwords: Passwords, password: str) -> None:
        assert await reason(passwords, password) == COMMON

    @pytest.mark.parametrize("password", ["seven77", "ﬀﬀﬀ"])
    async def test_a_short_one_is_refused(self, passwords: Passwords, password: str) -> None:
        assert await reason(passwords, password) == "A password has at least 8 characters"

    async def test_the_setting_says_what_is_short(self, pool: HashPool) -> None:
        passwords = await Passwords.create(PasswordSettings(memory=7168, passes=1, min_length=15), pool)
        assert "15" in await reason(passwords, "fourteen chars")
        await passwords.check_new("fifteen chars !")

    @pytest.mark.parametrize("password", ["ünïcödé", "🔑" * 8, "no rules about kinds", " " * 9 + "x"])
    async def test_characters_are_counted_and_not_judged(self, passwords: Passwords, password: str) -> None:
        await passwords.check_new(password + "!")


class TestHashing:
    async def test_the_right_password_fits_and_others_do_not(self, passwords: Passwords) -> None:
        kept = await passwords.hash("seven green bottles")
        assert kept.startswith("$argon2id$v=19$m=7168,t=1,p=1$")
        assert await passwords.verify(kept, "seven green bottles")
        for other in ("seven green bottle", "Seven green bottles", "seven green bottles "):
            assert not await passwords.verify(kept, other)

    async def test_a_long_password_counts_to_its_last_byte(self, passwords: Passwords) -> None:
        kept = await passwords.hash("x" * 1023 + "a")
        assert await passwords.verify(kept, "x" * 1023 + "a")
        for other in ("x" * 1023 + "b", "x" * 1023):
            assert not await passwords.verify(kept, other)

    async def test_a_password_may_be_composed_in_several_ways(self, passwords: Passwords) -> None:
        kept = await passwords.hash("caf\u00e9 noir")
        assert await passwords.verify(kept, "cafe\u0301 noir")

    async def test_nothing_fits_where_there_is_no_password(self, passwords: Passwords) -> None:
        assert not await passwords.verify(None, "seven green bottles")

    @pytest.mark.parametrize("kept", ["", "plain", "$argon2id$v=19$broken", "$2b$12$" + "x" * 53])
    async def test_what_is_no_hash_of_ours_fits_nothing(self, passwords: Passwords, kept: str) -> None:
        assert not await passwords.verify(kept, "seven green bottles")

    async def test_other_parameters_are_outdated(self, passwords: Passwords, pool: HashPool) -> None:
        stronger = await Passwords.create(PasswordSettings(memory=8192, passes=1), pool)
        kept = await passwords.hash("seven green bottles")
        assert (passwords.outdated(kept), stronger.outdated(kept)) == (False, True)

    async def test_where_there_is_no_password_the_same_work_is_done(self, pool: HashPool) -> None:
        settings = PasswordSettings(memory=8192, passes=3)
        passwords = await Passwords.create(settings, pool)
        kept = await passwords.hash("seven green bottles")
        assert parameters(passwords._decoy) == parameters(kept) == "$argon2id$v=19$m=8192,t=3,p=1"
        assert len(passwords._decoy) == len(kept)


def parameters(kept: str) -> str:
    return "$".join(kept.split("$")[:4])
