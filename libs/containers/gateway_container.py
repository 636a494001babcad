"""What the gateway owns while it runs: the broker, Redis, and what stands on them. It has no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from fastapi import APIRouter

from libs.amqp import ConnectionFailed
from libs.app import HttpSettings
from libs.containers.container import Container, Opened, opening
from libs.domain import OPERATIONS
from libs.domain.auth import Claims
from libs.gateway import (
    DOCUMENT_PATHS,
    ApiKeyCacheSettings,
    ApiKeys,
    AuthFeed,
    Authorization,
    Cookies,
    CookieSettings,
    Gate,
    PublicKeys,
    Revocations,
    RevocationSettings,
    TokenCacheSettings,
    document_routes,
)
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.infra.redis import RedisAway, RedisConnections, RedisSettings
from libs.messaging import Subscription
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import Topology, served
from libs.realtime import (
    DOOR_PATHS,
    SERVER_API_PATHS,
    Realtime,
    RealtimeSettings,
    RedisPresence,
    StreamLog,
)

OPEN_PATHS = DOCUMENT_PATHS | DOOR_PATHS | SERVER_API_PATHS | {"/healthz", "/readyz"}
"""What judges its clients itself, or has nothing to hide; at the server API's nothing is unless it has a key."""


class GatewaySections(Protocol):
    """The sections of settings that the container is made from."""

    @property
    def http(self) -> HttpSettings:
        """Where clients come in."""

    @property
    def broker(self) -> BrokerSettings:
        """RabbitMQ."""

    @property
    def redis(self) -> RedisSettings:
        """Redis."""

    @property
    def tokens(self) -> TokenSettings:
        """Whose access tokens are believed."""

    @property
    def token_cache(self) -> TokenCacheSettings:
        """How many of them are remembered."""

    @property
    def api_key_cache(self) -> ApiKeyCacheSettings:
        """How long API keys are."""

    @property
    def cookies(self) -> CookieSettings:
        """Whether pages keep tokens in cookies."""

    @property
    def revocation(self) -> RevocationSettings:
        """How revoked ones are refused."""

    @property
    def realtime(self) -> RealtimeSettings:
        """What clients may do over WebSocket."""


@dataclass(frozen=True, kw_only=True)
class GatewayContainer(Container):
    """The gateway's connections, what it believes, and the doors for its clients."""

    bus: RabbitBus
    redis: RedisConnections
    keys: PublicKeys
    auth_feed: AuthFeed
    gate: Gate
    realtime: Realtime
    topology: Topology

    @classmethod
    async def create(cls, settings: GatewaySections) -> Self:
        """Open every connection; raises `DependencyAway` where one cannot be had."""
        async with opening() as opened:
            bus = await _rabbitmq(opened, settings.broker)
            redis = await _redis(opened, settings.redis)
            verifier = TokenVerifier(Claims, settings.tokens)
            keys = PublicKeys(bus, verifier)
            opened.closing("keys", keys.close)
            revocations = Revocations(settings.revocation)
            auth_feed = AuthFeed(bus, keys, revocations)
            opened.probing("auth_svc", keys.check, essential=False)  # tokens are believed without it
            opened.probing("revocations", auth_feed.check)
            api_keys = ApiKeys(bus, settings.api_key_cache)
            revocations.on_revoked.append(api_keys.forget)
            authorization = Authorization(
                verifier, keys, revocations, api_keys=api_keys, cache_size=settings.token_cache.size
            )
            log = StreamLog(settings.broker, settings.realtime)
            realtime = Realtime(
                settings.realtime,
                log=log,
                verify=authorization.believe,
                bus=bus,
                operations=OPERATIONS,
                presence=RedisPresence(redis, seconds=settings.realtime.presence_seconds),
                loopback=settings.http.is_loopback,
            )
            revocations.on_revoked.append(realtime.revoke)
            keys.on_dropped.append(realtime.distrust)
            opened.closing("realtime", realtime.close)
            opened.dismissing("realtime", realtime.dismiss)
            opened.probing("realtime", realtime.check)
            gate = Gate(
                OPERATIONS,
                bus=bus,
                authorization=authorization,
                open_paths=OPEN_PATHS,
                cookies=Cookies(settings.cookies, loopback=settings.http.is_loopback),
            )
            return cls(
                opened=opened,
                bus=bus,
                redis=redis,
                keys=keys,
                auth_feed=auth_feed,
                gate=gate,
                realtime=realtime,
                topology=log.topology + served(realtime.handlers, queue_type=settings.broker.queue_type),
            )

    async def declare_topology(self) -> None:
        """Make the log of client-facing events stand, and the queue of this process."""
        await self.bus.declare(self.topology)

    async def follow_auth(self) -> Subscription:
        """Hear which sessions end and which keys sign."""
        return await self.auth_feed.start()

    async def relay_events(self) -> Subscription:
        """Read the log and pass its events on to clients."""
        return await self.realtime.start()

    def contracts(self) -> Gate:
        """The door of HTTP: every contract, and a guard before everything else."""
        return self.gate

    def documents(self) -> APIRouter:
        """What the gateway says about itself."""
        return document_routes(self.gate.routes, self.keys)

    def websockets(self) -> APIRouter:
        """The door of WebSocket clients."""
        return APIRouter(routes=self.realtime.routes)


async def _rabbitmq(opened: Opened, settings: BrokerSettings) -> RabbitBus:
    return await opened.open(
        "rabbitmq",
        lambda: RabbitBus.open(settings, name="gateway"),
        probe=RabbitBus.check,
        away=(ConnectionFailed,),
    )


async def _redis(opened: Opened, settings: RedisSettings) -> RedisConnections:
    return await opened.open(
        "redis",
        lambda: RedisConnections.open(settings),
        probe=RedisConnections.check,
        essential=False,  # without it presence is away, and nothing else
        away=(RedisAway,),
    )
