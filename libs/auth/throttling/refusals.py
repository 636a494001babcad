"""Refusals: a login whose sign-ins must wait is written down, once in a while and not at every try."""

from __future__ import annotations

from uuid import UUID

import structlog

from libs.auth.callers import Origin
from libs.auth.repository import Storage
from libs.auth.throttling.seldom import Seldom
from libs.auth.throttling.store import Store
from libs.messaging import Unavailable

_log = structlog.get_logger(__name__)
_SECONDS = 900.0


class Refusals:
    """Writes to the audit log which logins are being throttled."""

    def __init__(self, storage: Storage, store: Store) -> None:
        self._storage = storage
        self._seldom = Seldom(store, "throttled", seconds=_SECONDS)

    async def note(self, kind: str, login: str, address: str, account_id: UUID | None) -> None:
        """Write down that attempts of this ``kind`` wait; the account is looked up by its login where it is not known.

        Without the database nothing is written down, and the attempt is refused all the same.
        """
        if not await self._seldom.first(kind):
            return
        try:
            await self._write(login, address, account_id)
        except Unavailable as error:
            _log.warning("throttling_not_written_down", reason=str(error))

    async def _write(self, login: str, address: str, account_id: UUID | None) -> None:
        if account_id is None:
            found = await self._storage.login(login)
            account_id = found.account_id if found else None
        async with self._storage.transaction() as stored:
            await stored.audit.add("login.throttled", account_id=account_id, origin=Origin(ip=address))
