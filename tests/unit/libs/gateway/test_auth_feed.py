from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

import pytest
from typing_extensions import override

from libs.domain.auth import (
    KEYS_ROTATED,
    SESSION_REVOKED,
    Claims,
    KeysRotated,
    RevokedSession,
    SessionEnded,
    SessionsRevoked,
)
from libs.domain.auth import Revocations as Page
from libs.gateway import AuthFeed, PublicKeys, Revocations, RevocationSettings
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.messaging import ControlSubscription, Listeners
from libs.messaging.memory import MemoryBus
from tests.unit.libs.gateway.door import AuthService, Issuer, eventually

UNTIL = int(time.time()) + 86_400


class Bus(MemoryBus):
    """Lets a test be the broker that goes away and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.online = True
        self.order: list[str] = []
        self.bound: Callable[[], Awaitable[None]] | None = None

    @property
    @override
    def connected(self) -> bool:
        return self.online

    @override
    async def control(
        self, listeners: Listeners, *, bound: Callable[[], Awaitable[None]]
    ) -> ControlSubscription:
        self.order.append("bound")
        self.bound = bound
        return await super().control(listeners, bound=bound)


class World:
    def __init__(self) -> None:
        self.bus = Bus()
        self.auth = AuthService(Issuer())
        self.monotonic = 0.0
        self.revocations = Revocations(RevocationSettings(max_age=60), monotonic=lambda: self.monotonic)
        self.keys = PublicKeys(self.bus, TokenVerifier(Claims, TokenSettings()))
        self.feed = AuthFeed(self.bus, self.keys, self.revocations, tick=0.005)

    async def serve(self) -> None:
        await self.bus.serve(self.auth.handlers())

    async def ready(self) -> None:
        await eventually(self.is_ready)

    async def is_ready(self) -> bool:
        try:
            await self.feed.check()
        except ConnectionError:
            return False
        return True


def revoked(*sessions: uuid.UUID) -> SessionsRevoked:
    return SessionsRevoked(session_ids=sessions, account_id=uuid.uuid4(), reason="logout", until=UNTIL)


async def test_ready_once_the_queue_is_bound_and_the_auth_service_was_asked() -> None:
    world = World()
    missed = uuid.uuid4()
    world.auth.pages = [Page(sessions=(RevokedSession(session_id=missed, until=UNTIL),))]
    await world.serve()
    assert not await world.is_ready()
    feed = await world.feed.start()
    await world.ready()
    assert world.bus.order == ["bound"]
    assert world.auth.asked_for_keys == 1
    with pytest.raises(SessionEnded):
        world.revocations.check(str(missed), UNTIL)
    await feed.stop()


async def test_whoever_has_started_can_judge_where_the_auth_service_answers() -> None:
    """Beside other processes on the same port it would refuse what they let pass."""
    world = World()
    await world.serve()
    feed = await world.feed.start()
    assert await world.is_ready()
    await feed.stop()


async def test_an_auth_service_that_comes_later_is_asked_then() -> None:
    world = World()
    feed = await world.feed.start()
    await asyncio.sleep(0.02)
    assert not await world.is_ready()
    await world.serve()
    await world.ready()
    await feed.stop()


async def test_a_session_that_ends_is_refused_at_once() -> None:
    world = World()
    await world.serve()
    feed = await world.feed.start()
    await world.ready()
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    world.revocations.on_revoked.append(told.set_result)
    session = uuid.uuid4()
    await world.bus.publish(SESSION_REVOKED, revoked(session))
    assert await asyncio.wait_for(told, 30) == str(session)
    await feed.stop()


async def test_rotated_keys_are_asked_for() -> None:
    world = World()
    await world.serve()
    feed = await world.feed.start()
    await world.ready()
    world.auth.issuer.rotate()
    await world.bus.publish(KEYS_ROTATED, KeysRotated(kid=world.auth.issuer.keys[-1].kid))

    async def loaded() -> bool:
        return world.keys.generation == 2

    await eventually(loaded)
    await feed.stop()


async def test_rotated_keys_are_asked_for_until_they_are_had() -> None:
    """A revoked key must not live on because the auth service was busy at that moment."""
    world = World()
    await world.serve()
    feed = await world.feed.start()
    await world.ready()
    world.auth.issuer.rotate()
    world.auth.refusals = 3
    await world.bus.publish(KEYS_ROTATED, KeysRotated(kid=world.auth.issuer.keys[-1].kid))

    async def loaded() -> bool:
        return world.keys.generation == 2

    await eventually(loaded)
    await world.ready()
    await feed.stop()


async def test_after_a_reconnect_the_auth_service_is_asked_again() -> None:
    world = World()
    await world.serve()
    feed = await world.feed.start()
    await world.ready()
    missed = uuid.uuid4()
    world.auth.pages = [Page(sessions=(RevokedSession(session_id=missed, until=UNTIL),))]
    assert world.bus.bound is not None
    await world.bus.bound()
    assert not await world.is_ready()
    await world.ready()
    with pytest.raises(SessionEnded):
        world.revocations.check(str(missed), UNTIL)
    await feed.stop()


async def test_without_the_broker_what_is_known_grows_old() -> None:
    world = World()
    await world.serve()
    feed = await world.feed.start()
    await world.ready()
    world.bus.online = False

    async def old() -> bool:
        world.monotonic += 61.0  # more than once: a confirmation may have been under way
        return not world.revocations.is_current

    await eventually(old)
    world.bus.online = True
    await world.ready()
    await feed.stop()


async def test_a_feed_that_is_stopped_hears_nothing_more() -> None:
    world = World()
    await world.serve()
    feed = await world.feed.start()
    await world.ready()
    await feed.stop()
    await feed.stop()
    await world.bus.publish(SESSION_REVOKED, revoked(uuid.uuid4()))
    await asyncio.sleep(0.01)
    assert len(world.revocations) == 0
