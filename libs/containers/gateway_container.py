"""What the gateway owns while it runs: the broker, Redis, and what stands on them. It has no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from libs.amqp import ConnectionFailed
from libs.containers.container import Container, opening
from libs.domain.auth import Claims
from libs.gateway import (
    AuthFeed,
    Authorization,
    PublicKeys,
    Revocations,
    RevocationSettings,
    TokenCacheSettings,
)
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.infra.redis import RedisAway, RedisConnections, RedisSettings
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings


class GatewaySections(Protocol):
    """The sections of settings that the container is made from."""

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
    def revocation(self) -> RevocationSettings:
        """How revoked ones are refused."""


@dataclass(frozen=True, kw_only=True)
class GatewayContainer(Container):
    """Everything that the gateway's routes and listeners are made of."""

    bus: RabbitBus
    redis: RedisConnections
    keys: PublicKeys
    auth_feed: AuthFeed
    authorization: Authorization

    @classmethod
    async def create(cls, settings: GatewaySections) -> Self:
        """Open every connection; raises `DependencyAway` where one cannot be had."""
        async with opening() as opened:
            bus = await opened.open(
                "rabbitmq",
                lambda: RabbitBus.open(settings.broker, name="gateway"),
                probe=RabbitBus.check,
                away=(ConnectionFailed,),
            )
            redis = await opened.open(
                "redis",
                lambda: RedisConnections.open(settings.redis),
                probe=RedisConnections.check,
                essential=False,  # only presence needs it
                away=(RedisAway,),
            )
            verifier = TokenVerifier(Claims, settings.tokens)
            keys = PublicKeys(bus, verifier)
            revocations = Revocations(settings.revocation)
            auth_feed = AuthFeed(bus, keys, revocations)
            opened.probing("auth_svc", auth_feed.check)
            authorization = Authorization(verifier, keys, revocations, cache_size=settings.token_cache.size)
            return cls(
                opened=opened,
                bus=bus,
                redis=redis,
                keys=keys,
                auth_feed=auth_feed,
                authorization=authorization,
            )
