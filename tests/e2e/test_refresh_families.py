"""Families of refresh tokens over two processes of auth_svc; `./gatehouse bench refresh` plays the same at full size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from benchmarks.families.live_rows import LiveRows
from benchmarks.families.scenes import Scenes
from libs.domain.auth import REGISTER, SESSION_REVOKED, LoginRequest, RegisterRequest, SessionsRevoked
from libs.infra.database import Database, DatabaseSettings
from libs.messaging import Listeners
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from tests.fixtures.accounts import PASSWORD, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, running
from tests.fixtures.services import SessionServices, Vhost

SETTINGS = {"AUTH_HASH_MEMORY": "7168", "AUTH_HASH_PASSES": "1"}


@dataclass
class World:
    """Two processes that answer, and what they tell."""

    scenes: Scenes
    database: Database
    revoked: list[SessionsRevoked]

    async def ended(self) -> list[Any]:
        async with self.database.statements() as session:
            found = await session.execute(
                text("SELECT end_reason FROM auth.sessions WHERE ended_at IS NOT NULL")
            )
            return [row.end_reason for row in found]


@pytest.fixture
def grace() -> int:
    """Seconds for which a token that was just used is graced: more than any scene takes on a busy machine."""
    return 300


@pytest.fixture
async def world(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path, grace: int
) -> AsyncIterator[World]:
    """An account at two processes."""
    settings = {**SETTINGS, "AUTH_REFRESH_GRACE_SECONDS": str(grace)}
    processes = [auth_process(services, vhost, database, tmp_path, **settings) for _ in range(2)]
    revoked: list[SessionsRevoked] = []

    async def hear(event: SessionsRevoked) -> None:
        revoked.append(event)

    async def nothing_to_ask() -> None:
        """What came before the test does not matter."""

    async with running(*processes):
        broker = BrokerSettings(url=SecretStr(vhost.url_for("gateway")))
        bus = await RabbitBus.open(broker, name="tests")
        rows = await Database.open(DatabaseSettings(url=SecretStr(database.url)), application="tests")
        listeners = Listeners("gateway")
        listeners.on(SESSION_REVOKED, hear)
        try:
            await bus.control(listeners, bound=nothing_to_ask)
            await bus.call(REGISTER, RegisterRequest(email="ann@example.com", password=PASSWORD))
            login = LoginRequest(login="ann@example.com", password=PASSWORD)
            yield World(Scenes(bus, login), rows, revoked)
        finally:
            await rows.close()
            await bus.close()


async def test_parallel_refreshes_give_everybody_the_same_pair_and_sign_nobody_out(world: World) -> None:
    async with LiveRows.watched(world.database) as rows:
        played = await world.scenes.in_parallel(20, 50)
    assert (played.rounds, played.refreshes, played.faults) == (20, 1000, 0)
    assert rows.looks > 1
    assert rows.wrong == 0
    assert (await world.ended(), world.revoked) == ([], [])


async def test_a_lost_answer_signs_nobody_out(world: World) -> None:
    async with LiveRows.watched(world.database) as rows:
        played = await world.scenes.lost_answers(5, 10, wait=0)
    assert (played.faults, rows.wrong) == (0, 0)
    assert await world.ended() == []


@pytest.mark.parametrize("grace", [5])
async def test_an_answer_that_was_lost_for_longer_than_the_grace_signs_nobody_out_either(
    world: World, grace: int
) -> None:
    async with LiveRows.watched(world.database) as rows:
        played = await world.scenes.lost_answers(5, 10, wait=grace + 0.1)
    assert (played.faults, rows.wrong) == (0, 0)
    # Only the answers that were lost, and came back after their time, ended their sessions.
    assert await world.ended() == ["refresh_reused"] * 5


async def test_a_thief_ends_the_session_whoever_comes_first(world: World) -> None:
    async with LiveRows.watched(world.database) as rows:
        after = await world.scenes.thief_after_the_owner(5)
        before = await world.scenes.thief_before_the_owner(5)
    assert (after.faults, before.faults, rows.wrong) == (0, 0, 0)
    assert await world.ended() == ["refresh_reused"] * 10
    await eventually(lambda: len(world.revoked) == 10)
    assert {one.reason for one in world.revoked} == {"refresh_reused"}
