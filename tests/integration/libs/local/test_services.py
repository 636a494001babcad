"""The private services as the tests themselves use them."""

import asyncio
import os
from pathlib import Path

import aio_pika
import asyncpg
import pytest
import redis.asyncio

from libs.local import RabbitMQ, Redis, State
from tests.fixtures.services import SessionServices, Vhost


async def _reachable(url: str) -> bool:
    connection = await aio_pika.connect(url)
    await connection.close()
    return True


async def test_every_user_reaches_a_fresh_vhost(vhost: Vhost) -> None:
    for user in ("gatehouse", "gateway", "auth_svc"):
        assert await _reachable(vhost.url_for(user))


async def test_a_restarted_broker_keeps_its_address_and_its_vhosts(broker: RabbitMQ, vhost: Vhost) -> None:
    before = broker.pid
    await asyncio.to_thread(broker.restart)
    assert broker.pid != before
    assert await _reachable(vhost.url)


async def test_a_killed_broker_starts_again_with_what_it_had(broker: RabbitMQ, vhost: Vhost) -> None:
    await asyncio.to_thread(broker.kill)
    assert not broker.running
    await asyncio.to_thread(broker.start)
    assert await _reachable(vhost.url)


async def test_the_app_role_writes_rows_and_cannot_change_the_schema(services: SessionServices) -> None:
    postgres = services.postgres
    postgres.create_database("roles")
    owner = await asyncpg.connect(postgres.migration_database_url("roles"))
    app = await asyncpg.connect(postgres.database_url("roles"))
    try:
        await owner.execute("CREATE SCHEMA auth; CREATE TABLE auth.things (id int)")
        await app.execute("INSERT INTO auth.things VALUES (1)")
        assert await app.fetchval("SELECT count(*) FROM auth.things") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("DROP TABLE auth.things")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE auth.others (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE public.others (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE SCHEMA mine")
    finally:
        await owner.close()
        await app.close()
        postgres.drop_database("roles")


def test_redis_runs_in_a_folder_whose_name_has_blanks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "geteuid", lambda: 65_534
    )  # of others than root the data lie in the folder itself
    state = State(tmp_path / 'our "own" folder')
    state.acquire()
    redis_server = Redis(state)
    try:
        redis_server.start()
        assert redis_server.answers()
    finally:
        redis_server.stop()
        state.release()


async def test_redis_wants_the_password(services: SessionServices, redis_url: str) -> None:
    client = redis.asyncio.from_url(redis_url)
    assert await client.ping()
    await client.aclose()
    stranger = redis.asyncio.from_url(redis_url.partition("//")[0] + "//" + redis_url.partition("@")[2])
    with pytest.raises(redis.exceptions.AuthenticationError):
        await stranger.ping()
    await stranger.aclose()
