"""The services' settings as the operator's command reads them, to tell what is wrong before anything is started."""

from collections.abc import Mapping
from typing import TypeVar

from apps.auth_svc.settings import AuthSettings
from apps.cli.platform import Door
from apps.cli.settings import Environment, WrongSettingsError, as_environment
from apps.gateway.settings import GatewaySettings
from libs.app import ServiceSettings, SettingsInvalid, load_settings

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

# Stands for what is not known yet, or not needed.
_PLACEHOLDERS = {
    "AMQP_URL": "amqp://127.0.0.1/",
    "DATABASE_URL": "postgresql://127.0.0.1/gatehouse",
    "REDIS_URL": "redis://127.0.0.1/0",
    "AUTH_KEY_ENCRYPTION_KEYS": "A" * 43 + "=",
}


def gateway_door(environment: Environment) -> Door:
    """Read the settings of every service; raises `WrongSettingsError` with the lines of all that is wrong."""
    lines: list[str] = []
    for settings_class in (GatewaySettings, AuthSettings):
        try:
            _load(settings_class, environment.variables)
        except WrongSettingsError as error:
            lines += [line for line in error.lines if line not in lines]
    if lines:
        raise WrongSettingsError(lines)
    http = _load(GatewaySettings, environment.variables).http
    return Door(http.host, http.port, explicit=environment.get("GATEWAY_PORT") is not None)


def auth_settings(variables: Mapping[str, str]) -> AuthSettings:
    """The settings of auth_svc as these variables give them, for those who administer beside it."""
    return _load(AuthSettings, variables)


def _load(settings_class: type[SettingsT], variables: Mapping[str, str]) -> SettingsT:
    with as_environment({**_PLACEHOLDERS, **variables}):
        try:
            return load_settings(settings_class)
        except SettingsInvalid as error:
            raise WrongSettingsError(error.lines) from None
