"""New passwords, looked up at a server of breached ones."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from libs.auth.breaches import Breaches, BreachSettings
from libs.auth.hashing import HashPool
from libs.auth.passwords import BREACHED, Passwords
from libs.messaging import ValidationFailed
from tests.fixtures.accounts import QUICK
from tests.fixtures.ranges import RangeServer

STOLEN = "seven stolen bottles"


async def test_a_breached_password_is_refused_with_the_reason() -> None:
    pool = HashPool(threads=1, max_wait=10)
    async with RangeServer.knowing(STOLEN) as server:
        breaches = Breaches(BreachSettings(url=server.url, timeout=5))
        passwords = await Passwords.create(QUICK, pool, breaches)
        with pytest.raises(ValidationFailed) as refused:
            await passwords.check_new(STOLEN, field="new_password")
        assert [(one.field, one.message) for one in refused.value.errors] == [("new_password", BREACHED)]
        await passwords.check_new("seven green bottles")
        await breaches.close()
    await pool.close()


async def test_only_five_digits_leave_and_padding_is_asked_for() -> None:
    async with RangeServer.knowing() as server:
        breaches = Breaches(BreachSettings(url=server.url, timeout=5))
        assert not await breaches.know("P@ssw0rd")
        await breaches.close()
    ((path, headers),) = server.requests
    assert path == "/range/21BD1"
    assert headers["add-padding"] == "true"


async def test_padding_is_no_breach() -> None:
    async with RangeServer.knowing() as server:
        server.body = b"2DC183F740EE76F27B78EB39C8AD972A757:0"
        breaches = Breaches(BreachSettings(url=server.url, timeout=5))
        assert not await breaches.know("P@ssw0rd")
        server.body = b"2DC183F740EE76F27B78EB39C8AD972A757:1"
        assert await breaches.know("P@ssw0rd")
        await breaches.close()


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"status": 302}, {"silent": True}, {"body": b"0" * 600_000}]
)
async def test_without_a_usable_answer_it_fails_open_and_says_so(fault: dict[str, object]) -> None:
    async with RangeServer.knowing(STOLEN) as server:
        for name, value in fault.items():
            setattr(server, name, value)
        breaches = Breaches(BreachSettings(url=server.url, timeout=2))
        with capture_logs() as logs:
            async with asyncio.timeout(30):
                assert not await breaches.know(STOLEN)
                assert not await breaches.know(STOLEN)  # for a while nobody is asked again
        await breaches.close()
    assert [one["event"] for one in logs] == ["breached_passwords_unchecked"]
    assert logs[0]["log_level"] == "warning"
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there_fails_open_too() -> None:
    breaches = Breaches(BreachSettings(url="http://127.0.0.1:1/range/"))
    with capture_logs() as logs:
        assert not await breaches.know(STOLEN)
    assert STOLEN not in str(logs)
    await breaches.close()
