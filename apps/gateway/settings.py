"""Every knob of the gateway."""

from __future__ import annotations

from typing import Annotated

from libs.app import EdgeSettings, EnvPrefix, HttpSettings, OperationsSettings, ServiceSettings
from libs.gateway import ApiKeyCacheSettings, CookieSettings, RevocationSettings, TokenCacheSettings
from libs.infra.jwt import TokenSettings
from libs.infra.redis import RedisSettings
from libs.messaging.settings import BrokerSettings
from libs.realtime import RealtimeSettings


class GatewaySettings(ServiceSettings):
    """The sections of the gateway; `GATEWAY_` stands before the names of those that every service may have."""

    http: Annotated[HttpSettings, EnvPrefix("GATEWAY_")] = HttpSettings(port=8000)
    edge: Annotated[EdgeSettings, EnvPrefix("GATEWAY_")] = EdgeSettings()
    operations: Annotated[OperationsSettings, EnvPrefix("GATEWAY_")] = OperationsSettings(port=8001)
    broker: BrokerSettings
    redis: RedisSettings
    tokens: TokenSettings = TokenSettings()
    token_cache: TokenCacheSettings = TokenCacheSettings()
    api_key_cache: ApiKeyCacheSettings = ApiKeyCacheSettings()
    cookies: CookieSettings = CookieSettings()
    revocation: RevocationSettings = RevocationSettings()
    realtime: RealtimeSettings = RealtimeSettings()
