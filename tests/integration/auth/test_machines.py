"""Service accounts and API keys against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from libs.auth import ServiceAccountExists, UnknownServiceAccount
from libs.auth.callers import Origin, account_of
from libs.domain.auth import (
    ApiKeyNotFound,
    ApiKeyRef,
    ApiKeyValidation,
    ClientInvalid,
    CreateApiKeyRequest,
    Forbidden,
    NewApiKey,
    RevocationsRequest,
    ScopeInvalid,
    SessionEnded,
    SessionsRevoked,
    TokenRequest,
    TooManyApiKeys,
    ValidateApiKeyRequest,
    ValidateRequest,
)
from libs.messaging import ANONYMOUS, Caller, Empty, Identity
from tests.fixtures.accounts import CLIENT, FROM_CLIENT, AuthWorld, eventually

NOBODY = Origin()


async def signed_in(world: AuthWorld, *, scope: str = "") -> Caller:
    account = await world.register()
    if scope:
        async with world.storage.transaction() as stored:
            await world.rules.roles.give(stored, account.id, "editor", NOBODY)
    caller = world.caller(await world.login())
    assert caller.identity is not None
    return caller._replace(identity=replace(caller.identity, scope=scope))


async def validation(world: AuthWorld, key: str) -> ApiKeyValidation:
    return await world.rules.api_keys.validate(ValidateApiKeyRequest(key=key), ANONYMOUS)


async def waits_for_a_lock(world: AuthWorld) -> bool:
    """Whether a statement in this database waits for another transaction."""
    return bool(
        await world.rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )


async def revoked(world: AuthWorld) -> set[str]:
    """What a gateway is told that starts now."""
    page = await world.sessions.revocations(RevocationsRequest(), ANONYMOUS)
    return {str(one.session_id) for one in page.sessions}


class TestApiKeys:
    async def new(self, world: AuthWorld, caller: Caller, **values: object) -> NewApiKey:
        request = CreateApiKeyRequest.model_validate({"name": "backup", **values})
        return await world.rules.api_keys.create(request, caller)

    async def test_a_key_stands_for_its_account_with_its_scopes(self, auth: AuthWorld) -> None:
        caller = await signed_in(auth, scope="notes:read notes:write")
        key = await self.new(auth, caller, scope="notes:read")
        found = await validation(auth, key.key)
        assert caller.identity is not None
        assert (found.active, str(found.account_id), found.scope) == (True, caller.identity.sub, "notes:read")

    async def test_the_secret_is_stored_nowhere(self, auth: AuthWorld) -> None:
        key = await self.new(auth, await signed_in(auth))
        stored = str(await auth.rows("SELECT t.*::text FROM auth.api_keys t"))
        assert key.key.rpartition("_")[2][:20] not in stored
        listed = await auth.rules.api_keys.list(Empty(), auth.caller(await auth.login()))
        assert "key" not in listed.keys[0].model_dump()

    async def test_a_key_has_no_more_scopes_than_its_maker(self, auth: AuthWorld) -> None:
        with pytest.raises(Forbidden):
            await self.new(auth, await signed_in(auth, scope="notes:read"), scope="admin")

    async def test_another_secret_under_the_same_id_is_refused(self, auth: AuthWorld) -> None:
        key = await self.new(auth, await signed_in(auth))
        assert not (await validation(auth, key.key[:-43] + "A" * 43)).active
        [row] = await auth.rows("SELECT last_used_at FROM auth.api_keys")
        assert row.last_used_at is None

    async def test_a_key_expires(self, auth: AuthWorld) -> None:
        key = await self.new(auth, await signed_in(auth), expires_in=60)
        auth.clock.advance(61)
        assert not (await validation(auth, key.key)).active

    async def test_the_last_use_is_noted_once_a_minute(self, auth: AuthWorld) -> None:
        key = await self.new(auth, await signed_in(auth))
        started = auth.clock.now()
        for seconds in (0, 30, 31):
            auth.clock.advance(seconds)
            await validation(auth, key.key)
        [row] = await auth.rows("SELECT last_used_at FROM auth.api_keys")
        assert (row.last_used_at - started).total_seconds() == 61

    async def test_a_revoked_key_is_told_and_refused(self, auth: AuthWorld) -> None:
        caller = await signed_in(auth)
        key = await self.new(auth, caller)
        await auth.rules.api_keys.revoke(ApiKeyRef(id=key.id), caller)
        assert not (await validation(auth, key.key)).active
        assert str(key.id) in await revoked(auth)
        assert "auth.session.revoked" in auth.bus.names()
        with pytest.raises(ApiKeyNotFound):
            await auth.rules.api_keys.revoke(ApiKeyRef(id=key.id), caller)

    async def test_nobody_revokes_anothers(self, auth: AuthWorld) -> None:
        key = await self.new(auth, await signed_in(auth))
        await auth.register("bob@example.com")
        bob = auth.caller(await auth.login("bob@example.com"))
        with pytest.raises(ApiKeyNotFound):
            await auth.rules.api_keys.revoke(ApiKeyRef(id=key.id), bob)
        assert (await validation(auth, key.key)).active

    async def test_an_account_that_is_shut_takes_its_keys_with_it(self, auth: AuthWorld) -> None:
        key = await self.new(auth, await signed_in(auth))
        await auth.closing.disable_by_login("ann@example.com", NOBODY)
        assert not (await validation(auth, key.key)).active
        assert str(key.id) in await revoked(auth)

    async def test_there_is_an_end_to_how_many(self, auth: AuthWorld) -> None:
        caller = await signed_in(auth)
        for _ in range(25):
            await self.new(auth, caller)
        with pytest.raises(TooManyApiKeys):
            await self.new(auth, caller)

    async def test_an_account_that_is_being_shut_gets_no_key_that_outlives_it(self, auth: AuthWorld) -> None:
        caller = await signed_in(auth)
        account = account_of(caller)
        async with auth.storage.transaction() as stored:
            await stored.accounts.disable(account, auth.clock.now())
            await auth.rules.endings.api_keys(stored, account, NOBODY)
            await auth.rules.endings.all_of(stored, account, "account_disabled", NOBODY)
            making = asyncio.create_task(self.new(auth, caller))
            await eventually(lambda: waits_for_a_lock(auth))
        with pytest.raises(SessionEnded):
            await making
        assert not await auth.rows("SELECT 1 FROM auth.api_keys WHERE revoked_at IS NULL")

    async def test_a_key_makes_no_keys(self, auth: AuthWorld) -> None:
        caller = await signed_in(auth)
        key = await self.new(auth, caller)
        assert caller.identity is not None
        program = Caller(identity=Identity(caller.identity.sub, str(key.id), "", "api_key"))
        with pytest.raises(Forbidden):
            await self.new(auth, program)


class TestServiceAccounts:
    async def token(self, world: AuthWorld, client_id: object, secret: str, scope: str | None = None) -> str:
        request = TokenRequest(
            grant_type="client_credentials", client_id=str(client_id), client_secret=secret, scope=scope
        )
        return (await world.rules.service_accounts.token(request, ANONYMOUS)).access_token

    async def test_a_secret_is_good_for_tokens_of_its_account(self, auth: AuthWorld) -> None:
        new = await auth.rules.service_accounts.create("billing", "notes:read notes:write", NOBODY)
        token = await self.token(auth, new.client_id, new.client_secret)
        claims = auth.keys.verifier.verify(token)
        assert (claims.sub, claims.client_id) == (str(new.client_id), str(new.client_id))
        assert claims.scope == "notes:read notes:write"
        assert claims.of_service
        assert (await auth.sessions.validate(ValidateRequest(access_token=token), ANONYMOUS)).active

    async def test_fewer_scopes_can_be_asked_for_and_others_not(self, auth: AuthWorld) -> None:
        new = await auth.rules.service_accounts.create("billing", "notes:read notes:write", NOBODY)
        token = await self.token(auth, new.client_id, new.client_secret, "notes:read")
        assert auth.keys.verifier.verify(token).scope == "notes:read"
        with pytest.raises(ScopeInvalid):
            await self.token(auth, new.client_id, new.client_secret, "admin")

    async def test_who_signs_in_and_who_fails_is_written_down(self, auth: AuthWorld) -> None:
        new = await auth.rules.service_accounts.create("billing", "notes:read", NOBODY)
        for secret in ("wrong", new.client_secret):
            request = TokenRequest(
                grant_type="client_credentials", client_id=str(new.client_id), client_secret=secret
            )
            with suppress(ClientInvalid):
                await auth.rules.service_accounts.token(request, FROM_CLIENT)
        rows = await auth.rows("SELECT * FROM auth.audit_log WHERE event LIKE 'service.sign%' ORDER BY id")
        client = {"client_id": str(new.client_id)}
        assert [(row.event, row.details) for row in rows] == [
            ("service.sign_in_failed", client),
            ("service.signed_in", {**client, "scope": "notes:read"}),
        ]
        assert {row.ip for row in rows} == {CLIENT.ip}

    async def test_a_storm_of_wrong_secrets_fills_no_log(self, auth: AuthWorld) -> None:
        services = auth.rules.service_accounts
        for new in (await services.create("billing", "", NOBODY), await services.create("mail", "", NOBODY)):
            for _ in range(5):
                with pytest.raises(ClientInvalid):
                    await self.token(auth, new.client_id, "wrong")
            await self.token(auth, new.client_id, new.client_secret)
        rows = await auth.rows(
            "SELECT event FROM auth.audit_log WHERE event LIKE 'service.sign%' ORDER BY id"
        )
        assert [row.event for row in rows] == ["service.sign_in_failed", "service.signed_in"] * 2

    @pytest.mark.parametrize("client_id", ["00000000-0000-7000-8000-000000000000", "billing", "x"])
    async def test_an_unknown_client_is_refused_as_a_wrong_secret_is(
        self, auth: AuthWorld, client_id: str
    ) -> None:
        new = await auth.rules.service_accounts.create("billing", "", NOBODY)
        for id_ in (client_id, new.client_id):
            with pytest.raises(ClientInvalid):
                await self.token(auth, id_, "wrong")

    async def test_another_secret_ends_the_one_before_and_its_tokens(self, auth: AuthWorld) -> None:
        new = await auth.rules.service_accounts.create("billing", "", NOBODY)
        token = await self.token(auth, new.client_id, new.client_secret)
        other = await auth.rules.service_accounts.replace_secret("billing", NOBODY)
        with pytest.raises(ClientInvalid):
            await self.token(auth, new.client_id, new.client_secret)
        assert auth.keys.verifier.verify(token).sid in await revoked(auth)
        found = await auth.sessions.validate(ValidateRequest(access_token=token), ANONYMOUS)
        assert found.reason == "auth.session_ended"
        fresh = await self.token(auth, new.client_id, other.client_secret)
        assert auth.keys.verifier.verify(fresh).sid not in await revoked(auth)

    async def test_a_disabled_account_gets_no_tokens(self, auth: AuthWorld) -> None:
        new = await auth.rules.service_accounts.create("billing", "", NOBODY)
        await auth.rules.service_accounts.disable("billing", NOBODY)
        await eventually(lambda: "auth.session.revoked" in auth.bus.names())
        (told,) = [one.body for one in auth.bus.sent if one.name == "auth.session.revoked"]
        assert SessionsRevoked.model_validate_json(told).reason == "service_disabled"
        with pytest.raises(ClientInvalid):
            await self.token(auth, new.client_id, new.client_secret)
        with pytest.raises(UnknownServiceAccount):
            await auth.rules.service_accounts.replace_secret("billing", NOBODY)

    async def test_names_are_unique(self, auth: AuthWorld) -> None:
        await auth.rules.service_accounts.create("billing", "", NOBODY)
        with pytest.raises(ServiceAccountExists):
            await auth.rules.service_accounts.create("billing", "", NOBODY)
