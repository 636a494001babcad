"""Roles, given and taken. A given one is in the next token; a taken one is in none from that moment on."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from libs.auth.callers import Origin
from libs.auth.endings import Endings, Told
from libs.auth.repository import Stored
from libs.auth.roles.settings import RoleSettings, scope_text
from libs.domain.auth import ADMIN, LastAdmin
from libs.infra.clock import Clock
from libs.messaging import FieldError, ValidationFailed


class Roles:
    """What roles allow, and who has them."""

    def __init__(self, settings: RoleSettings, endings: Endings, clock: Clock) -> None:
        self._scopes = settings.scopes
        self._endings = endings
        self._clock = clock

    def scope(self, roles: Iterable[str]) -> str:
        """The scopes of these roles, as a token carries them."""
        return scope_text(self._scopes, roles)

    def expect_known(self, roles: Iterable[str], *, field: str = "role") -> None:
        """Raise `ValidationFailed` for a role that no setting knows."""
        unknown = [
            FieldError(field=field, message=f"There is no role {one}")
            for one in set(roles) - set(self._scopes)
        ]
        if unknown:
            raise ValidationFailed(errors=unknown)

    async def give(self, stored: Stored, account_id: UUID, role: str, origin: Origin) -> None:
        """Give an account a role; nothing where it has it."""
        if await stored.roles.give(account_id, role, self._clock.now()):
            await stored.audit.add("role.given", account_id=account_id, origin=origin, role=role)

    async def take(self, stored: Stored, account_id: UUID, role: str, origin: Origin) -> Told:
        """Take a role from an account and end its sessions and the API keys that need it; raises `LastAdmin`.

        An access token says until its end what it said when it was made; so it must not outlive the role.
        """
        await stored.accounts.lock(account_id)
        if role == ADMIN:
            await refuse_last_admin(stored, account_id)
        if not await stored.roles.take(account_id, role):
            return Told(0, ())
        await stored.audit.add("role.taken", account_id=account_id, origin=origin, role=role)
        keys = await self._end_api_keys(stored, account_id, origin)
        sessions = await self._endings.all_of(stored, account_id, "role_taken", origin)
        return sessions.after(keys)

    async def _end_api_keys(self, stored: Stored, account_id: UUID, origin: Origin) -> Told:
        """End the API keys that say more than the account may do now."""
        left = set(self.scope(await stored.roles.of(account_id)).split())
        keys = await stored.machines.keys(account_id, self._clock.now())
        beyond = [key.id for key in keys if not left.issuperset(key.scope.split())]
        return await self._endings.api_keys(stored, account_id, origin, only=beyond)


async def refuse_last_admin(stored: Stored, account_id: UUID) -> None:
    """Raise `LastAdmin` where nobody else could administer once this account, which is locked, cannot any more."""
    if await stored.roles.is_last(account_id, ADMIN):
        raise LastAdmin
