"""API keys: what somebody's own program shows in place of a sign-in, with fewer rights and an end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from libs.auth.callers import Origin, SignedIn
from libs.auth.endings import Endings
from libs.auth.machines.secrets import KeyText, digest, matches, new_secret
from libs.auth.machines.settings import ApiKeySettings
from libs.auth.repository import Storage, Stored
from libs.auth.repository.machine_rows import ApiKeyRow
from libs.auth.roles import Roles
from libs.domain.auth import (
    ApiKey,
    ApiKeyList,
    ApiKeyNotFound,
    ApiKeyRef,
    ApiKeyValidation,
    CreateApiKeyRequest,
    NewApiKey,
    SessionEnded,
    TooManyApiKeys,
    ValidateApiKeyRequest,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty, Forbidden, new_message_id


class ApiKeys:
    """The API keys of all accounts."""

    def __init__(
        self, storage: Storage, roles: Roles, endings: Endings, settings: ApiKeySettings, clock: Clock
    ) -> None:
        self._storage = storage
        self._roles = roles
        self._endings = endings
        self._settings = settings
        self._clock = clock

    async def create(
        self,
        request: CreateApiKeyRequest,
        caller: Caller,
        *,
        also: Callable[[Stored], Awaitable[None]] | None = None,
    ) -> NewApiKey:
        """A key with some of the caller's scopes; what ``also`` belongs into the transaction is done in it.

        Raises `TooManyApiKeys`, `Forbidden` for other scopes, `SessionEnded` where the session is over by now.
        """
        who = SignedIn.of(caller)
        account_id = who.account_id
        granted = caller.identity.scopes if caller.identity else frozenset()
        if not granted.issuperset(request.scope.split()):
            raise Forbidden("a key has at most the scopes of whoever makes it")
        secret, now = new_secret(), self._clock.now()
        seconds = min(request.expires_in or self._settings.seconds, self._settings.seconds)
        row = ApiKeyRow(
            id=UUID(new_message_id()),
            account_id=account_id,
            name=request.name,
            scope=request.scope,
            hash=digest(secret),
            created_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )
        async with self._storage.transaction() as stored:
            count = await stored.machines.count_keys(account_id, now)
            # Behind the account's lock: what ends sessions and keys has seen this key, or is seen here.
            if not await stored.sessions.goes_on(who.session_id, now):
                raise SessionEnded
            if count >= self._settings.per_account:
                raise TooManyApiKeys
            await stored.machines.add_key(row)
            await stored.audit.add(
                "api_key.created", account_id=account_id, origin=Origin.of(caller), api_key=str(row.id)
            )
            if also is not None:
                await also(stored)
            shown = _shown(row)
        return NewApiKey(**shown.model_dump(), key=KeyText(shown.id, secret).text())

    async def list(self, _request: Empty, caller: Caller) -> ApiKeyList:
        """The caller's keys."""
        account_id = SignedIn.of(caller).account_id
        async with self._storage.statements() as stored:
            rows = await stored.machines.keys(account_id, self._clock.now())
        return ApiKeyList(keys=tuple(_shown(row) for row in rows))

    async def revoke(self, request: ApiKeyRef, caller: Caller) -> Empty:
        """Refuse a key of the caller's from now on; returns when every gateway can know. Raises `ApiKeyNotFound`."""
        account_id, origin = SignedIn.of(caller).account_id, Origin.of(caller)
        async with self._storage.transaction() as stored:
            told = await self._endings.api_keys(stored, account_id, origin, only=[request.id])
            if not told.count:
                raise ApiKeyNotFound
        await told.heard()
        return Empty()

    async def validate(self, request: ValidateApiKeyRequest, _caller: Caller) -> ApiKeyValidation:
        """Whose key it is, while it is good; it allows nothing that its owner may not do any more."""
        shown, now = KeyText.parse(request.key), self._clock.now()
        async with self._storage.statements() as stored:
            row = await stored.machines.key(shown.id, now)
            if row is None or not matches(shown.secret, row.hash):
                return ApiKeyValidation(active=False)
            await stored.machines.key_used(shown.id, now)
            allowed = self._roles.scope(await stored.roles.of(row.account_id)).split()
        scope = " ".join(one for one in row.scope.split() if one in allowed)
        return ApiKeyValidation(
            active=True, id=row.id, account_id=row.account_id, scope=scope, expires_at=row.expires_at
        )


def _shown(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scope=row.scope,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
