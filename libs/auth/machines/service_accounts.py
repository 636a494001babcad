"""Service accounts: programs that are nobody's, and the tokens that they get for a secret (RFC 6749, section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from libs.auth.callers import Origin
from libs.auth.endings import Endings
from libs.auth.keys import Keys
from libs.auth.machines.secrets import digest, matches, new_secret
from libs.auth.repository import Storage, Stored
from libs.auth.repository.machine_rows import ServiceAccountRow
from libs.auth.repository.machines import Secret
from libs.auth.throttling import Seldom
from libs.auth.tokens import AccessTokens
from libs.domain.auth import ClientInvalid, ScopeInvalid, ServiceToken, TokenRequest
from libs.infra.clock import Clock
from libs.messaging import Caller, new_message_id


class ServiceAccountExists(Exception):
    """There is a service account of this name."""


class UnknownServiceAccount(Exception):
    """There is no service account of this name that is not disabled."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """What a program signs in with; the secret is shown this once."""

    client_id: UUID
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServiceAccountState:
    """A service account as its operator sees it."""

    client_id: UUID
    name: str
    scope: str
    created_at: datetime
    disabled_at: datetime | None


class ServiceAccounts:
    """The service accounts."""

    def __init__(
        self,
        storage: Storage,
        keys: Keys,
        access_tokens: AccessTokens,
        endings: Endings,
        clock: Clock,
        *,
        failures: Seldom,
    ) -> None:
        self._storage = storage
        self._keys = keys
        self._access_tokens = access_tokens
        self._endings = endings
        self._clock = clock
        self._failures = failures

    async def token(self, request: TokenRequest, caller: Caller) -> ServiceToken:
        """An access token for a secret; raises `ClientInvalid`, or `ScopeInvalid` for more than the account has."""
        async with self._storage.transaction() as stored:
            signed_in = await self._sign_in(stored, request, Origin.of(caller))
        if signed_in is None:
            raise ClientInvalid
        secret, scope = signed_in
        token, expires_in = self._access_tokens.issue_to_service(
            secret.service_account_id, secret.id, scope, self._keys.signing
        )
        return ServiceToken(access_token=token, expires_in=expires_in, scope=scope)

    async def create(self, name: str, scope: str, origin: Origin) -> NewSecret:
        """A service account with its first secret; raises `ServiceAccountExists`."""
        id_ = UUID(new_message_id())
        async with self._storage.transaction() as stored:
            if not await stored.machines.add_service(id_, name, scope, self._clock.now()):
                raise ServiceAccountExists(f"there is a service account {name}")
            await stored.audit.add("service.created", origin=origin, client_id=str(id_), scope=scope)
            return await self._add_secret(stored, id_)

    async def states(self) -> list[ServiceAccountState]:
        """Every service account, by name."""
        async with self._storage.statements() as stored:
            rows = await stored.machines.services()
        return [
            ServiceAccountState(row.id, row.name, row.scope, row.created_at, row.disabled_at) for row in rows
        ]

    async def replace_secret(self, name: str, origin: Origin) -> NewSecret:
        """Another secret; the old one and its tokens are refused at once. Raises `UnknownServiceAccount`."""
        async with self._storage.transaction() as stored:
            row = await _known(stored, name)
            await self._endings.secrets(stored, row.id, "secret_replaced")
            await stored.audit.add("service.secret_replaced", origin=origin, client_id=str(row.id))
            return await self._add_secret(stored, row.id)

    async def disable(self, name: str, origin: Origin) -> None:
        """Shut a service account and refuse its tokens; raises `UnknownServiceAccount`."""
        async with self._storage.transaction() as stored:
            row = await _known(stored, name)
            await self._endings.secrets(stored, row.id, "service_disabled")
            await stored.audit.add("service.disabled", origin=origin, client_id=str(row.id))
            await stored.machines.disable_service(row.id, self._clock.now())

    async def _sign_in(
        self, stored: Stored, request: TokenRequest, origin: Origin
    ) -> tuple[Secret, str] | None:
        """The secret that was shown, and the scopes of its token; None where it is nobody's."""
        client_id = _client(request.client_id)
        secrets = await stored.machines.secrets(client_id)
        secret = next((one for one in secrets if matches(request.client_secret, one.hash)), None)
        if secret is None:
            # A client that never was fills no log, and one that fails all the time does not either.
            if secrets and await self._failures.first(str(client_id)):
                await stored.audit.add("service.sign_in_failed", origin=origin, client_id=str(client_id))
            return None
        scope = _granted(request.scope, secret.scope)
        await stored.machines.secret_used(secret.id, self._clock.now())
        await stored.audit.add("service.signed_in", origin=origin, client_id=str(client_id), scope=scope)
        return secret, scope

    async def _add_secret(self, stored: Stored, id_: UUID) -> NewSecret:
        secret = new_secret()
        await stored.machines.add_secret(UUID(new_message_id()), id_, digest(secret), self._clock.now())
        return NewSecret(id_, secret)


def _granted(asked: str | None, allowed: str) -> str:
    """The scopes of a token; all that are allowed where none are asked for. Raises `ScopeInvalid` for others."""
    if asked is None:
        return allowed
    if not set(asked.split()) <= set(allowed.split()):
        raise ScopeInvalid
    return asked


async def _known(stored: Stored, name: str) -> ServiceAccountRow:
    row = await stored.machines.service(name)
    if row is None or row.disabled_at is not None:
        raise UnknownServiceAccount(f"there is no service account {name}, or it is disabled")
    return row


def _client(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ClientInvalid from error
