"""Every setting of auth_svc."""

from __future__ import annotations

from typing import Annotated

from libs.app import EnvPrefix, OperationsSettings, ServiceSettings
from libs.auth import (
    ApiKeySettings,
    BreachSettings,
    ClaimsSettings,
    HousekeepingSettings,
    KeySettings,
    MailSettings,
    PasswordSettings,
    RoleSettings,
    SessionSettings,
    ThrottleSettings,
)
from libs.infra.database import DatabaseSettings
from libs.infra.jwt import TokenSettings
from libs.infra.redis import RedisSettings
from libs.infra.smtp import SmtpSettings
from libs.messaging.settings import BrokerSettings
from libs.outbox import OutboxSettings


class AuthSettings(ServiceSettings):
    """What auth_svc reads from the environment and from `.env`."""

    operations: Annotated[OperationsSettings, EnvPrefix("AUTH_")] = OperationsSettings(port=8082)
    broker: BrokerSettings
    redis: RedisSettings
    database: DatabaseSettings
    tokens: TokenSettings = TokenSettings()
    keys: KeySettings
    sessions: SessionSettings = SessionSettings()
    passwords: PasswordSettings = PasswordSettings()
    breaches: BreachSettings = BreachSettings()
    throttles: ThrottleSettings = ThrottleSettings()
    api_keys: ApiKeySettings = ApiKeySettings()
    roles: RoleSettings = RoleSettings()
    claims: ClaimsSettings = ClaimsSettings()
    outbox: OutboxSettings = OutboxSettings()
    mail: MailSettings = MailSettings()
    smtp: Annotated[SmtpSettings, EnvPrefix("AUTH_")] = SmtpSettings()
    housekeeping: HousekeepingSettings = HousekeepingSettings()
