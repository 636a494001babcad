from __future__ import annotations

import uuid

import pytest

from libs.domain.auth import Revocations as Page
from libs.domain.auth import RevokedSession, SessionEnded, TokenExpired
from libs.gateway import Revocations, RevocationSettings
from libs.gateway.revocation import catch_up
from libs.messaging import Unavailable
from libs.messaging.memory import MemoryBus
from tests.unit.libs.gateway.door import AuthService, Issuer

NOW = 1_800_000_000.0


class World:
    def __init__(self, *, max_sessions: int = 1000) -> None:
        self.now = NOW
        self.monotonic = 0.0
        self.revocations = Revocations(
            RevocationSettings(max_age=60, max_sessions=max_sessions),
            now=lambda: self.now,
            monotonic=lambda: self.monotonic,
        )
        self.revocations.confirm()


def test_a_session_that_was_not_revoked_passes() -> None:
    World().revocations.check("s1", int(NOW) + 600)


def test_a_revoked_session_is_refused() -> None:
    world = World()
    world.revocations.add("s1", int(NOW) + 600)
    with pytest.raises(SessionEnded):
        world.revocations.check("s1", int(NOW) + 600)


def test_without_news_for_too_long_nobody_is_believed() -> None:
    world = World()
    world.monotonic = 60.0
    world.revocations.check("s1", int(NOW) + 600)
    world.monotonic = 60.1
    with pytest.raises(Unavailable):
        world.revocations.check("s1", int(NOW) + 600)


def test_what_is_known_to_be_revoked_is_refused_even_then() -> None:
    world = World()
    world.revocations.add("s1", int(NOW) + 600)
    world.monotonic = 3600.0
    with pytest.raises(SessionEnded):
        world.revocations.check("s1", int(NOW) + 600)


def test_before_the_first_news_nobody_is_believed() -> None:
    with pytest.raises(Unavailable):
        Revocations(RevocationSettings()).check("s1", int(NOW) + 600)


def test_each_revocation_is_told_once() -> None:
    told: list[str] = []
    world = World()
    world.revocations.on_revoked.append(told.append)
    world.revocations.add("s1", int(NOW) + 600)
    world.revocations.add("s1", int(NOW) + 600)
    assert told == ["s1"]


def test_a_session_is_forgotten_once_its_last_token_is_over() -> None:
    world = World()
    world.revocations.add("short", int(NOW) + 10)
    world.revocations.add("long", int(NOW) + 600)
    world.now = NOW + 10 + 61
    world.revocations.forget_expired()
    assert len(world.revocations) == 1
    with pytest.raises(SessionEnded):
        world.revocations.check("long", int(NOW) + 600)


def test_what_is_over_already_is_not_kept() -> None:
    world = World()
    world.revocations.add("old", int(NOW) - 61)
    assert len(world.revocations) == 0


def test_memory_is_bounded_and_what_is_dropped_stays_refused() -> None:
    world = World(max_sessions=2)
    for number, session in enumerate(["first", "second", "third"]):
        world.revocations.add(session, int(NOW) + 100 + number)
    assert len(world.revocations) == 2
    with pytest.raises(TokenExpired):
        world.revocations.check("first", int(NOW) + 100)
    with pytest.raises(TokenExpired):
        world.revocations.check("innocent", int(NOW) + 90)
    world.revocations.check("innocent", int(NOW) + 600)


async def test_what_was_missed_is_asked_for_page_by_page() -> None:
    sessions = sorted(uuid.uuid4() for _ in range(3))
    auth = AuthService(Issuer())
    until = int(NOW) + 600
    auth.pages = [
        Page(
            sessions=tuple(RevokedSession(session_id=one, until=until) for one in sessions[:2]),
            next=sessions[1],
        ),
        Page(sessions=(RevokedSession(session_id=sessions[2], until=until),)),
    ]
    bus = MemoryBus()
    await bus.serve(auth.handlers())
    world = World()
    await catch_up(bus, world.revocations)
    assert auth.asked_after == ["None", str(sessions[1])]
    for session in sessions:
        with pytest.raises(SessionEnded):
            world.revocations.check(str(session), until)
