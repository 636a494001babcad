"""Storage: a transaction as the rules of identity see it. What is decided in it and what is told of it commit as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.callers import Origin
from libs.auth.repository.accounts import AccountRepository, Login, StoredAccount
from libs.auth.repository.administered import AdministeredRepository
from libs.auth.repository.audit import AuditRepository
from libs.auth.repository.housekeeping import HousekeepingRepository
from libs.auth.repository.imports import ImportRepository
from libs.auth.repository.keys import KeyRepository
from libs.auth.repository.machines import MachineRepository
from libs.auth.repository.mail import MailRepository
from libs.auth.repository.opening import Opening, open_session
from libs.auth.repository.owners import OwnerRepository
from libs.auth.repository.roles import RoleRepository
from libs.auth.repository.rotation import Rotated, Rotation
from libs.auth.repository.sessions import SessionRepository
from libs.auth.repository.together import Together
from libs.infra.database import Database, DatabaseAway
from libs.messaging import Event, EventMessage, Unavailable
from libs.messaging.contract import PayloadT
from libs.outbox import Outbox

_log = structlog.get_logger(__name__)


class Stored:
    """What one transaction can read and write."""

    def __init__(self, session: AsyncSession, outbox: Outbox) -> None:
        self.accounts = AccountRepository(session)
        self.sessions = SessionRepository(session)
        self.keys = KeyRepository(session)
        self.audit = AuditRepository(session, outbox)
        self.imports = ImportRepository(session)
        self.machines = MachineRepository(session)
        self.mail = MailRepository(session)
        self.owners = OwnerRepository(session)
        self.administered = AdministeredRepository(session)
        self.roles = RoleRepository(session)
        self.housekeeping = HousekeepingRepository(session, outbox)
        self._session = session
        self._outbox = outbox

    async def tell(
        self, event: Event[PayloadT], payload: PayloadT, *, urgent: bool = False
    ) -> asyncio.Future[None]:
        """Tell of it if this transaction commits; the future is done once the broker has it (see `Outbox.add`)."""
        return await self._outbox.add(self._session, EventMessage.of(event, payload), urgent=urgent)


class Storage:
    """Opens transactions. Raises `Unavailable` where the database does not answer.

    Rows are locked in one order, so that no two transactions wait for each other: first the account
    (`AccountRepository.lock`, or a statement that changes its row), then the rows of the role `admin`
    (`RoleRepository.is_last`), then what belongs to the account, of which several rows of a table are locked in the order of
    their ids or behind the account's lock. Whoever has not locked the account touches one of its tables: its sessions with
    their tokens, one API key, one request. What is swept or relayed is skipped where somebody else has it.
    """

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._accounts = Together(self._active)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Stored]:
        """One transaction, committed at the end of the block."""
        with _unavailable():
            async with self._database.transaction() as session:
                yield Stored(session, self._outbox)

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[Stored]:
        """Single statements, each a transaction of its own."""
        with _unavailable():
            async with self._database.statements() as session:
                yield Stored(session, self._outbox)

    async def login(self, name: str) -> Login | None:
        """The account that an address or a username names, by the shortest way."""
        with _unavailable():
            async with self._database.rows() as connection:
                return await AccountRepository(connection).by_login(name)

    async def login_again(self, login: Login) -> Login | None:
        """The same account as it is now."""
        with _unavailable():
            async with self._database.rows() as connection:
                return await AccountRepository(connection).by_id(login.account_id)

    async def open_session(self, opening: Opening) -> bool:
        """Start a session in one round trip; False where its account is not what it was."""
        with _unavailable():
            async with self._database.rows() as connection:
                return await open_session(connection, self._outbox, opening)

    async def rotate(self, rotation: Rotation, origin: Origin) -> Rotated | None:
        """`SessionRepository.rotate`, by the shortest way."""
        with _unavailable():
            async with self._database.rows() as connection:
                return await SessionRepository(connection).rotate(rotation, origin)

    async def active_account(self, account_id: UUID) -> StoredAccount | None:
        """The account, unless it is shut or gone, by the shortest way: it is asked for more than anything else."""
        return await self._accounts.get(account_id)

    async def _active(self, account_ids: AbstractSet[UUID]) -> Mapping[UUID, StoredAccount]:
        with _unavailable():
            async with self._database.rows() as connection:
                return await AccountRepository(connection).active(account_ids)


@contextmanager
def _unavailable() -> Generator[None]:
    try:
        yield
    except DatabaseAway as error:
        _log.warning("database_away", reason=str(error))
        raise Unavailable("the service's database does not answer") from error
