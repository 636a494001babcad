"""PostgreSQL: sessions with bounded waits, and notifications.

SQLAlchemy's engine over asyncpg; the only module that opens a connection to the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, Self

import asyncpg
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

from libs.infra.postgres_url import postgres_url

_OWNER_CONNECT = 10.0  # s
_CLIENT_MARGIN = 1.0  # s that the client waits longer than the server, whose answer says more
_IDLE_TRANSACTION = (
    "10000"  # ms after which the server gives up on a client that stalls with locks in its hands
)
# Classes of SQLSTATE (PostgreSQL, appendix A) that pass by themselves: connection, resources, operator, rollback.
_PASSING = ("08", "40", "53", "55", "57")
_ERRORS = (DBAPIError, OSError, PoolTimeoutError)


class DatabaseSettings(BaseModel):
    """How a service reaches PostgreSQL, and how long it waits there."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(postgres_url)] = Field(
        validation_alias="DATABASE_URL",
        description="`postgresql://user:password@host:port/database` of a role that reads and writes rows.",
    )
    pool_size: int = Field(
        10,
        ge=2,
        le=200,
        validation_alias="DATABASE_POOL_SIZE",
        description="Most connections of one process; half of them are for transactions.",
    )
    connect_timeout: float = Field(
        2.0,
        gt=0,
        le=30,
        validation_alias="DATABASE_CONNECT_TIMEOUT",
        description="How long a new connection, or a free one of the pool, is waited for (s).",
    )
    statement_timeout: float = Field(
        3.0,
        gt=0,
        le=60,
        validation_alias="DATABASE_STATEMENT_TIMEOUT",
        description="How long one statement may run (s).",
    )


class DatabaseAway(Exception):
    """The database does not answer now; the same request may succeed later."""


class DatabaseRefused(Exception):
    """The database answers, and will not do it."""


class _Pool:
    """Connections of one kind, given to who asks in the order of asking.

    SQLAlchemy's pool gives a free one to whoever asks next, and who has waited starves.
    """

    def __init__(self, settings: DatabaseSettings, application: str, size: int, **options: Any) -> None:
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(_connect, settings, application),
            pool_size=size,
            max_overflow=0,
            pool_timeout=settings.connect_timeout,
            hide_parameters=True,  # a password hash has no place in a log
            **options,
        )
        _drop_closed_connections(self.engine)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._size = size
        self._patience = settings.connect_timeout
        self._turns = asyncio.Semaphore(size)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """A connection is free for this block; raises `DatabaseAway` where it takes too long to get one."""
        if self._turns.locked():
            try:
                async with asyncio.timeout(self._patience):
                    await self._turns.acquire()
            except TimeoutError as error:
                raise DatabaseAway(f"all {self._size} connections to the database are taken") from error
        else:
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()


class Database:
    """Pools of connections; statements are bounded by the server and, should it be silent, by the client.

    Half of the connections are for single statements, which so wait for no transaction: to take a connection out of the
    mode for transactions and back would cost a single one a fifth more.
    """

    def __init__(self, settings: DatabaseSettings, *, application: str) -> None:
        self._settings = settings
        self._application = application
        single = settings.pool_size // 2
        self._statements = _Pool(settings, application, single, isolation_level="AUTOCOMMIT")
        self._transactions = _Pool(settings, application, settings.pool_size - single)

    @classmethod
    async def open(cls, settings: DatabaseSettings, *, application: str) -> Self:
        """A pool that has reached the server once; raises `DatabaseAway` or `DatabaseRefused`."""
        database = cls(settings, application=application)
        try:
            await database.check()
        except DBAPIError as error:
            await database.close()
            raise _named(error) from error
        except BaseException:
            await database.close()
            raise
        return database

    async def check(self) -> None:
        """Ask the server for a sign of life; raises `DatabaseAway`."""
        async with self.statements() as session:
            await session.execute(text("SELECT 1"))

    async def expect_schema(self, schema: str) -> None:
        """Raise `DatabaseRefused` where the schema was never migrated, or `DatabaseAway`."""
        async with self.statements() as session:
            migrated = text("SELECT to_regclass(:versions) IS NOT NULL")
            found = await session.scalar(migrated, {"versions": f"{schema}.alembic_version"})
        if not found:
            raise DatabaseRefused(f"the database has no schema {schema}: run `gatehouse migrate` first")

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """One transaction, committed at the end of the block; raises `DatabaseAway`."""
        async with _session(self._transactions) as session:
            # ruff: ignore[fallible-context-manager]  # an error in the block must skip the commit
            yield session
            await session.commit()

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[AsyncSession]:
        """Single statements, each a transaction of its own, in one round trip; raises `DatabaseAway`."""
        async with _session(self._statements) as session:
            yield session

    @asynccontextmanager
    async def rows(self) -> AsyncGenerator[AsyncConnection]:
        """As `statements`, without objects: for what is asked all the time, at half the cost of a session."""
        async with self._statements.turn():
            connection = self._statements.engine.connect()
            try:
                yield await connection.start()
            except _ERRORS as error:
                if isinstance(error, OSError) and connection.sync_connection is not None:
                    await connection.invalidate()
                _raise_named(error)
                raise
            finally:
                if connection.sync_connection is not None:
                    await connection.close()

    @asynccontextmanager
    async def notifications(self, channel: str, heard: Callable[[], None]) -> AsyncGenerator[asyncio.Event]:
        """LISTEN on a connection of its own: ``heard()`` for each NOTIFY; the event yielded is set when it is gone.

        Raises `DatabaseAway`.
        """
        gone = asyncio.Event()
        try:
            connection = await _connect(self._settings, self._application)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseAway(f"the database does not answer: {type(error).__name__}") from error
        connection.add_termination_listener(lambda _: gone.set())
        try:
            await connection.add_listener(channel, lambda *_: heard())
            yield gone
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Close every connection."""
        await self._statements.engine.dispose()
        await self._transactions.engine.dispose()


@asynccontextmanager
async def _session(pool: _Pool) -> AsyncGenerator[AsyncSession]:
    async with pool.turn():
        session = pool.sessions()
        try:
            yield session
        except _ERRORS as error:
            # A silent server would not answer a ROLLBACK either.
            await (session.invalidate() if isinstance(error, OSError) else session.rollback())
            _raise_named(error)
            raise
        finally:
            await session.close()


async def _connect(
    settings: DatabaseSettings, application: str, *_: Any, **__: Any
) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(
        settings.url.get_secret_value(),
        timeout=settings.connect_timeout,
        command_timeout=settings.statement_timeout + _CLIENT_MARGIN,
        server_settings={
            "application_name": application,
            "statement_timeout": str(int(settings.statement_timeout * 1000)),
            "idle_in_transaction_session_timeout": _IDLE_TRANSACTION,
            "timezone": "UTC",
        },
    )


@asynccontextmanager
async def owner_connection(url: str) -> AsyncGenerator[AsyncConnection]:
    """One transaction of the role that owns the schemas; its statements may take their time.

    Raises `DatabaseAway` or `DatabaseRefused`.
    """

    async def connect(*_: Any, **__: Any) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(
            url, timeout=_OWNER_CONNECT, server_settings={"application_name": "migrate"}
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    except (DBAPIError, OSError) as error:
        raise _named(error) from error
    finally:
        await engine.dispose()


def _raise_named(error: DBAPIError | OSError | PoolTimeoutError) -> None:
    """Raise `DatabaseAway` where the same statement may succeed later."""
    if _passes(error):
        raise _named(error) from error


def _named(error: DBAPIError | OSError | PoolTimeoutError) -> DatabaseAway | DatabaseRefused:
    """What the rest of Gatehouse calls this error of the driver."""
    reason = error.orig if isinstance(error, DBAPIError) else type(error).__name__
    if _passes(error):
        return DatabaseAway(f"the database does not answer: {reason}")
    return DatabaseRefused(f"the database refuses: {reason}")


def _drop_closed_connections(engine: AsyncEngine) -> None:
    """Replace a pooled connection that the server has closed when it is taken: no ping, so no round trip."""

    @event.listens_for(engine.sync_engine, "checkout")
    def replace_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
        if dbapi_connection.driver_connection.is_closed():
            raise DisconnectionError


def _passes(error: DBAPIError | OSError | PoolTimeoutError) -> bool:
    """Whether the same statement may succeed later."""
    if not isinstance(error, DBAPIError):
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or state.startswith(_PASSING)
