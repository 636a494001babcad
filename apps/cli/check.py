"""Whether the services' settings are right, before anything is started for them."""

from apps.auth_svc.settings import AuthSettings
from apps.cli.platform import Door
from apps.cli.settings import Environment, WrongSettingsError, as_environment
from apps.gateway.settings import GatewaySettings
from libs.app import SettingsInvalid, load_settings

# Stands for what `up` itself will say.
_MADE_BY_UP = {
    "AMQP_URL": "amqp://127.0.0.1/",
    "DATABASE_URL": "postgresql://127.0.0.1/gatehouse",
    "REDIS_URL": "redis://127.0.0.1/0",
    "AUTH_KEY_ENCRYPTION_KEYS": "A" * 43 + "=",
}


def gateway_door(environment: Environment) -> Door:
    """Read the settings of every service; raises `WrongSettingsError` with the lines of all that is wrong."""
    lines: list[str] = []
    door = None
    with as_environment({**_MADE_BY_UP, **environment.variables}):
        for settings_class in (GatewaySettings, AuthSettings):
            try:
                settings = load_settings(settings_class)
            except SettingsInvalid as error:
                lines += [line for line in error.lines if line not in lines]
            else:
                if isinstance(settings, GatewaySettings) and settings.http:
                    explicit = environment.get("GATEWAY_PORT") is not None
                    door = Door(settings.http.host, settings.http.port, explicit)
    if lines or door is None:
        raise WrongSettingsError(lines)
    return door
