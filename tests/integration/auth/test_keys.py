"""Signing keys against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest

from libs.auth import Keys, KeyUnreadable, SessionSettings, UnknownSigningKey
from libs.domain.auth import KeySet, RefreshRequest
from libs.infra.jwt import TokenSettings, UnknownKey
from libs.messaging import ANONYMOUS, Empty
from tests.fixtures.accounts import FROM_CLIENT, KEY, AuthWorld, auth_world, eventually, key_settings
from tests.fixtures.clock import StoppedClock
from tests.fixtures.database import MigratedDatabase

PUBLISHED = 600.0
MONTH = 2_592_000.0
OTHER_KEY = base64.b64encode(b"o" * 32).decode()


def a_second_later() -> StoppedClock:
    """A clock for a process that starts after another one."""
    clock = StoppedClock()
    clock.advance(1)
    return clock


async def states(world: AuthWorld) -> list[str]:
    return [key.state for key in await world.keys.states()]


class TestFirstStart:
    async def test_makes_one_key_that_signs_and_one_that_follows(self, auth: AuthWorld) -> None:
        assert sorted(await states(auth)) == ["next", "signing"]
        assert {key.algorithm for key in await auth.keys.states()} == {"ES256"}

    async def test_of_two_processes_at_once_makes_the_same_keys(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url) as one, auth_world(database.url) as two:
            await asyncio.gather(*(world.keys.load() for world in (one, two) * 3))
            assert one.keys.signing.kid == two.keys.signing.kid
            assert sorted(await states(one)) == ["next", "signing"]

    async def test_the_private_halves_lie_sealed(self, auth: AuthWorld) -> None:
        rows = await auth.rows("SELECT kid, sealed FROM auth.signing_keys")
        private = auth.keys.signing.to_bytes()
        for row in rows:
            assert private not in row.sealed
            assert private[-32:] not in row.sealed


class TestSealing:
    async def test_a_key_that_cannot_be_opened_stops_the_start_and_stays(
        self, database: MigratedDatabase
    ) -> None:
        async with auth_world(database.url) as before:
            kid = before.keys.signing.kid
        with pytest.raises(KeyUnreadable, match="AUTH_KEY_ENCRYPTION_KEYS"):
            async with auth_world(database.url, keys=key_settings(OTHER_KEY)):
                pass
        async with auth_world(database.url) as after:
            assert after.keys.signing.kid == kid

    async def test_an_old_encryption_key_still_opens(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url) as before:
            kid = before.keys.signing.kid
        async with auth_world(database.url, keys=key_settings(OTHER_KEY, KEY)) as after:
            assert after.keys.signing.kid == kid

    async def test_a_sealed_key_opens_under_its_own_name_only(self, auth: AuthWorld) -> None:
        await auth.rows(
            "UPDATE auth.signing_keys SET sealed = (SELECT sealed FROM auth.signing_keys WHERE kid = :kid)"
            " RETURNING kid",
            kid=auth.keys.signing.kid,
        )
        with pytest.raises(KeyUnreadable):
            await auth.keys.load()


class TestRotation:
    async def test_the_published_key_signs_and_the_old_one_is_believed(self, auth: AuthWorld) -> None:
        await auth.register()
        before = await auth.login()
        published = {key.kid for key in await auth.keys.states()}
        rotation = await auth.keys.rotate()
        assert rotation.kid in published
        assert auth.keys.signing.kid == rotation.kid
        assert sorted(await states(auth)) == ["next", "retired", "signing"]
        after = await auth.login()
        for tokens in (before, after):
            assert auth.keys.verifier.verify(tokens.access_token).sid == str(tokens.session_id)

    async def test_is_told(self, auth: AuthWorld) -> None:
        await eventually(lambda: auth.bus.names().count("auth.keys.rotated") == 1)
        await auth.keys.rotate()
        await eventually(lambda: auth.bus.names().count("auth.keys.rotated") == 2)

    async def test_a_retired_key_is_believed_as_long_as_its_tokens_live(self, auth: AuthWorld) -> None:
        retired = auth.keys.signing.kid
        await auth.keys.rotate()
        auth.clock.advance(SessionSettings().access_seconds + 60)
        await auth.keys.load()
        assert retired in auth.keys.verifier.kids
        auth.clock.advance(60)
        await auth.keys.load()
        assert retired not in auth.keys.verifier.kids

    async def test_reaches_another_process_that_is_told(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url) as one, auth_world(database.url) as two:
            rotation = await one.keys.rotate()
            assert two.keys.signing.kid != rotation.kid
            await two.keys.reload()
            assert two.keys.signing.kid == rotation.kid

    async def test_another_algorithm_comes_by_publication_first(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url):
            pass
        wanted = key_settings(algorithm="EdDSA", publish_seconds=300)
        async with auth_world(database.url, clock=a_second_later(), keys=wanted) as world:
            await world.register()
            mixed = [await world.login()]
            await world.keys.tend()
            used = [world.keys.signing.algorithm]
            world.clock.advance(300)
            await world.keys.tend()
            used.append(world.keys.signing.algorithm)
            assert used == ["ES256", "EdDSA"]
            mixed.append(await world.login())
            for tokens in mixed:
                assert world.keys.verifier.verify(tokens.access_token).sid == str(tokens.session_id)


class TestPublication:
    async def test_a_key_signs_only_once_verifiers_can_know_it(self, auth: AuthWorld) -> None:
        auth.clock.advance(1)
        await auth.keys.rotate()
        signing = auth.keys.signing.kid
        asked = await auth.keys.rotate()
        assert (asked.done, auth.keys.signing.kid) == (False, signing)
        assert asked.signs_from == auth.clock.now() + timedelta(seconds=PUBLISHED)
        shown = {key.state: key.signs_from for key in await auth.keys.states()}
        assert shown["next"] == asked.signs_from
        auth.clock.advance(PUBLISHED - 1)
        await auth.keys.tend()
        assert auth.keys.signing.kid == signing
        auth.clock.advance(1)
        await auth.keys.tend()
        assert auth.keys.signing.kid == asked.kid

    async def test_an_operator_may_have_it_at_once(self, auth: AuthWorld) -> None:
        auth.clock.advance(1)
        await auth.keys.rotate()
        asked = await auth.keys.rotate(at_once=True)
        assert asked.done
        assert auth.keys.signing.kid == asked.kid

    async def test_two_at_once_are_two_rotations(self, auth: AuthWorld) -> None:
        await asyncio.gather(*(auth.keys.rotate(at_once=True) for _ in range(2)))
        assert sorted(await states(auth)) == ["next", "retired", "retired", "signing"]


class TestRotationByAge:
    async def test_comes_when_the_key_is_old_enough(self, auth: AuthWorld) -> None:
        signing = auth.keys.signing.kid
        auth.clock.advance(MONTH - 1)
        await auth.keys.tend()
        assert auth.keys.signing.kid == signing
        auth.clock.advance(1)
        await auth.keys.tend()
        assert auth.keys.signing.kid != signing

    async def test_of_several_processes_exactly_one_rotates(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url) as one, auth_world(database.url) as two:
            for world in (one, two):
                world.clock.advance(MONTH)
            await asyncio.gather(*(world.keys.tend() for world in (one, two) * 5))
            assert one.keys.signing.kid == two.keys.signing.kid
            assert sorted(await states(one)) == ["next", "retired", "signing"]

    async def test_can_be_switched_off(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url, keys=key_settings(rotation_seconds=0)) as world:
            signing = world.keys.signing.kid
            world.clock.advance(100 * MONTH)
            await world.keys.tend()
            assert world.keys.signing.kid == signing

    async def test_processes_of_different_settings_do_not_take_turns(
        self, database: MigratedDatabase
    ) -> None:
        """While a new algorithm is rolled out, some processes still have the old setting."""
        async with (
            auth_world(database.url) as old,
            auth_world(database.url, clock=a_second_later(), keys=key_settings(algorithm="RS256")) as new,
        ):
            for _ in range(3):
                for world in (old, new):
                    world.clock.advance(PUBLISHED)
                    await world.keys.tend()
            assert {old.keys.signing.algorithm, new.keys.signing.algorithm} == {"RS256"}
            assert sorted(await states(old)) == ["next", "signing"]


class TestRevocation:
    async def test_no_token_of_the_key_is_believed_and_the_next_one_signs(self, auth: AuthWorld) -> None:
        await auth.register()
        tokens = await auth.login()
        revoked = auth.keys.signing.kid
        following = next(key.kid for key in await auth.keys.states() if key.state == "next")
        found = await auth.keys.revoke(revoked)
        assert (found.signing, found.took_over) == (following, True)
        with pytest.raises(UnknownKey):
            auth.keys.verifier.verify(tokens.access_token)
        assert sorted(await states(auth)) == ["next", "revoked", "signing"]
        refreshed = await auth.sessions.refresh(
            RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT
        )
        assert auth.keys.verifier.verify(refreshed.access_token).sid == str(tokens.session_id)

    async def test_a_key_that_does_not_sign_leaves_the_others_as_they_are(self, auth: AuthWorld) -> None:
        signing = auth.keys.signing.kid
        following = next(key.kid for key in await auth.keys.states() if key.state == "next")
        found = await auth.keys.revoke(following)
        assert (found.signing, found.took_over) == (signing, False)
        assert following not in auth.keys.verifier.kids
        assert sorted(await states(auth)) == ["next", "revoked", "signing"]

    async def test_is_told_and_written_down(self, auth: AuthWorld) -> None:
        revoked = auth.keys.signing.kid
        await auth.keys.revoke(revoked)
        await eventually(lambda: auth.bus.names().count("auth.keys.rotated") == 2)
        [row] = await auth.rows("SELECT details FROM auth.audit_log WHERE event = 'keys.revoked'")
        assert row.details == {"kid": revoked, "state": "signing"}

    async def test_a_key_that_nobody_believes_cannot_be_revoked(self, auth: AuthWorld) -> None:
        revoked = auth.keys.signing.kid
        await auth.keys.revoke(revoked)
        for kid in (revoked, "nonsense"):
            with pytest.raises(UnknownSigningKey):
                await auth.keys.revoke(kid)


class TestPublished:
    async def test_the_set_holds_public_halves_only(self, auth: AuthWorld) -> None:
        await auth.keys.rotate(at_once=True)
        found = await auth.keys.published(Empty(), ANONYMOUS)
        assert isinstance(found, KeySet)
        assert {key.kid for key in found.keys} == auth.keys.verifier.kids
        for key in found.keys:
            assert key.model_dump().keys() == {"kty", "kid", "use", "alg", "crv", "x", "y"}

    async def test_keys_are_not_used_before_they_are_loaded(self, auth: AuthWorld) -> None:
        keys = Keys(
            auth.storage,
            key_settings(),
            tokens=TokenSettings(),
            sessions=SessionSettings(),
            clock=auth.clock,
        )
        with pytest.raises(RuntimeError):
            _ = keys.signing
