"""What auth_svc owns while it runs: its connections, and the rules of identity on top of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from libs.amqp import ConnectionFailed
from libs.auth import (
    OUTBOX,
    SCHEMA,
    AccountImport,
    Administration,
    Breaches,
    BreachSettings,
    Chore,
    Chores,
    HashPool,
    HousekeepingSettings,
    Keys,
    MailFlows,
    MailRelay,
    MailSettings,
    PasswordSettings,
    ProcessStore,
    Rates,
    RedisStore,
    Rules,
    RuleSections,
    SharedStore,
    Storage,
    Sweeper,
    control_listeners,
    handlers,
)
from libs.containers.container import Container, opening
from libs.infra.clock import SystemClock
from libs.infra.database import Database, DatabaseAway, DatabaseSettings
from libs.infra.redis import RedisAway, RedisConnections, RedisSettings
from libs.infra.smtp import Smtp, SmtpSettings
from libs.messaging import Handlers, Lane, Subscription
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import Topology, served
from libs.outbox import Outbox, OutboxSettings, Relay

_NAME = "auth_svc"


class AdministrationSections(RuleSections, Protocol):
    """The settings that an operator's command needs."""

    @property
    def database(self) -> DatabaseSettings:
        """PostgreSQL."""

    @property
    def breaches(self) -> BreachSettings:
        """Where new passwords are looked up."""


class AuthSections(AdministrationSections, Protocol):
    """The settings that auth_svc needs."""

    @property
    def broker(self) -> BrokerSettings:
        """RabbitMQ."""

    @property
    def redis(self) -> RedisSettings:
        """Redis."""

    @property
    def mail(self) -> MailSettings:
        """What is confirmed by e-mail."""

    @property
    def smtp(self) -> SmtpSettings:
        """The mail server."""

    @property
    def outbox(self) -> OutboxSettings:
        """How events leave."""

    @property
    def housekeeping(self) -> HousekeepingSettings:
        """How long what is over is kept."""


@dataclass(frozen=True, kw_only=True)
class AuthContainer(Container):
    """The connections of auth_svc, what it answers with them, and what it does beside."""

    bus: RabbitBus
    redis: RedisConnections
    database: Database
    keys: Keys
    handlers: Handlers
    topology: Topology
    relay: Relay
    mail_relay: MailRelay
    housekeeping: Chores

    @classmethod
    async def create(cls, settings: AuthSections) -> Self:
        """Open every connection and the signing keys."""
        async with opening() as opened:
            bus = await opened.open(
                "rabbitmq",
                lambda: RabbitBus.open(settings.broker, name=_NAME),
                probe=RabbitBus.check,
                away=(ConnectionFailed,),
            )
            redis = await opened.open(
                "redis",
                lambda: RedisConnections.open(settings.redis),
                probe=RedisConnections.check,
                essential=False,  # without it each process throttles for itself
                away=(RedisAway,),
            )
            database = await opened.open(
                "postgres",
                lambda: Database.open(settings.database, application=_NAME),
                probe=Database.check,
                away=(DatabaseAway,),
            )
            await database.expect_schema(SCHEMA)
            pool = _hash_pool(settings.passwords)
            opened.closing("hash pool", pool.close)
            breaches = Breaches(settings.breaches)
            opened.closing("breached passwords", breaches.close)
            counts = SharedStore(RedisStore(redis))
            outbox = Outbox(OUTBOX, relayed=True)
            rules = await Rules.over(
                Storage(database, outbox),
                settings,
                pool=pool,
                breaches=breaches,
                counts=counts,
                clock=SystemClock(),
                bus=bus,
                verified_first=settings.mail.verification == "required",
            )
            await rules.keys.load()
            hashing = Lane(slots=8 * pool.threads, max_length=settings.passwords.queue)
            rates = Rates(counts, settings.throttles)
            mail = _mail(rules, rates, settings)
            table = handlers(rules, mail, rates, hashing=hashing)
            return cls(
                opened=opened,
                bus=bus,
                redis=redis,
                database=database,
                keys=rules.keys,
                handlers=table,
                topology=served(table, queue_type=settings.broker.queue_type),
                relay=Relay(outbox, database, bus, settings.outbox),
                mail_relay=mail.relay,
                housekeeping=_housekeeping(rules, settings),
            )

    async def declare_topology(self) -> None:
        """Make the queues stand."""
        await self.bus.declare(self.topology)

    async def start_relay(self) -> Subscription:
        """Tell what was committed; first to start and last to stop, as whatever else runs may commit."""
        return self.relay.start()

    async def send_mail(self) -> Subscription:
        """Bring letters to the mail server."""
        return self.mail_relay.start()

    async def keep_house(self) -> Subscription:
        """Remove what is over, and rotate the keys in time."""
        return self.housekeeping.start()

    async def follow_keys(self) -> Subscription:
        """Hear of keys that other processes made."""
        return await self.bus.control(control_listeners(self.keys), bound=self.keys.reload)

    async def serve(self) -> Subscription:
        """Answer."""
        return await self.bus.serve(self.handlers)


@asynccontextmanager
async def administration(settings: AdministrationSections) -> AsyncGenerator[Administration]:
    """The operator's hands, over the database alone; raises `DatabaseAway` or `DatabaseRefused`."""
    database = await Database.open(settings.database, application="gatehouse")
    pool = _hash_pool(settings.passwords)
    breaches = Breaches(settings.breaches)
    try:
        await database.expect_schema(SCHEMA)
        rules = await Rules.over(
            Storage(database, Outbox(OUTBOX, relayed=False)),
            settings,
            pool=pool,
            breaches=breaches,
            counts=ProcessStore(),
            clock=SystemClock(),
        )
        imports = AccountImport(rules.storage, SystemClock())
        yield Administration(
            accounts=rules.accounts,
            closing=rules.closing,
            imports=imports,
            keys=rules.keys,
            services=rules.service_accounts,
            roles=rules.roles,
            storage=rules.storage,
        )
    finally:
        await breaches.close()
        await pool.close()
        await database.close()


def _mail(rules: Rules, rates: Rates, settings: AuthSections) -> MailFlows:
    return MailFlows.over(
        rules,
        settings.mail,
        smtp=Smtp(settings.smtp),
        rates=rates,
        secrets=settings.keys.secrets,
    )


def _hash_pool(settings: PasswordSettings) -> HashPool:
    return HashPool(threads=settings.threads, max_wait=settings.max_wait, own=settings.cores)


def _housekeeping(rules: Rules, settings: AuthSections) -> Chores:
    sweeper = Sweeper(
        rules.storage,
        settings.housekeeping,
        sessions=settings.sessions,
        outbox=settings.outbox,
        clock=SystemClock(),
    )
    return Chores(
        Chore("sweep", sweeper.sweep, interval=settings.housekeeping.interval),
        Chore("tend keys", rules.keys.tend, interval=settings.keys.reload_interval),
    )
