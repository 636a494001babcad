"""Signing keys against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64

import pytest

from libs.auth import Keys, KeyUnreadable, SessionSettings
from libs.domain.auth import KeySet
from libs.infra.jwt import TokenSettings
from libs.messaging import ANONYMOUS, Empty
from tests.fixtures.accounts import KEY, AuthWorld, auth_world, eventually, key_settings
from tests.fixtures.database import MigratedDatabase

OTHER_KEY = base64.b64encode(b"o" * 32).decode()


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
        kid = await auth.keys.rotate()
        assert kid in published
        assert auth.keys.signing.kid == kid
        assert sorted(await states(auth)) == ["next", "retired", "signing"]
        after = await auth.login()
        for tokens in (before, after):
            assert auth.keys.verifier.verify(tokens.access_token).sid == str(tokens.session_id)

    async def test_is_told(self, auth: AuthWorld) -> None:
        await eventually(lambda: auth.bus.names() == ["auth.keys.rotated"])
        await auth.keys.rotate()
        await eventually(lambda: auth.bus.names() == ["auth.keys.rotated"] * 2)

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
            kid = await one.keys.rotate()
            assert two.keys.signing.kid != kid
            await two.keys.reload()
            assert two.keys.signing.kid == kid

    async def test_two_at_once_are_two_rotations(self, auth: AuthWorld) -> None:
        await asyncio.gather(auth.keys.rotate(), auth.keys.rotate())
        assert sorted(await states(auth)) == ["next", "retired", "retired", "signing"]

    async def test_another_algorithm_comes_by_publication_first(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url):
            pass
        async with auth_world(database.url, keys=key_settings(algorithm="EdDSA")) as world:
            used = [world.keys.signing.algorithm]
            await world.keys.rotate()
            used.append(world.keys.signing.algorithm)
            assert used == ["ES256", "EdDSA"]
            await world.register()
            tokens = await world.login()
            assert world.keys.verifier.verify(tokens.access_token).sid == str(tokens.session_id)


class TestPublished:
    async def test_the_set_holds_public_halves_only(self, auth: AuthWorld) -> None:
        await auth.keys.rotate()
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
