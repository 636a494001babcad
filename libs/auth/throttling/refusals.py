"""Refusals: a login whose sign-ins must wait is written down, once in a while and not at every try."""

from __future__ import annotations

import structlog

from libs.auth.callers import Origin, SignedIn
from libs.auth.repository import Storage
from libs.auth.throttling.addresses import site_of
from libs.auth.throttling.seldom import Seldom
from libs.auth.throttling.store import Store
from libs.messaging import Unavailable

_log = structlog.get_logger(__name__)
_SECONDS = 900.0
_OF_A_SITE = (
    10  # rows in as many seconds: whoever tries many names from one address does not fill the audit log
)


class Refusals:
    """Writes to the audit log which logins are being throttled."""

    def __init__(self, storage: Storage, store: Store) -> None:
        self._storage = storage
        self._logins = Seldom(store, "throttled", seconds=_SECONDS)
        self._sites = Seldom(store, "throttled_at", seconds=_SECONDS / _OF_A_SITE, first=_OF_A_SITE)

    async def note(self, kind: str, login: str, origin: Origin, who: SignedIn | None = None) -> None:
        """Write down that attempts of this ``kind`` wait: of ``who`` is signed in, else of the account with the ``login``.

        Without the database nothing is written down, and the attempt is refused all the same.
        """
        if not await self._logins.first(kind) or not await self._sites.first(site_of(origin.ip)):
            return
        try:
            await self._write(login, origin, who)
        except Unavailable as error:
            _log.warning("throttling_not_written_down", reason=str(error))

    async def _write(self, login: str, origin: Origin, who: SignedIn | None) -> None:
        account = who or await self._storage.login(login)
        async with self._storage.transaction() as stored:
            await stored.audit.add(
                "login.throttled",
                account_id=account.account_id if account else None,
                session_id=who.session_id if who else None,
                origin=origin,
            )
