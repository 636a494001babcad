"""The services' settings as the operator's command reads them: what is wrong, before anything is started.

A program of its own as well, since reading them loads all of the services' code, which `up` has no other use for.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from apps.auth_svc.settings import AuthSettings
from apps.cli.settings import Environment, WrongSettingsError, as_environment
from apps.cli.terminal import raw
from apps.gateway.settings import GatewaySettings
from libs.app import ServiceSettings, SettingsInvalid, load_settings, variables

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

# Stands for what is not known yet, or not needed.
_PLACEHOLDERS = {
    "AMQP_URL": "amqp://127.0.0.1/",
    "DATABASE_URL": "postgresql://127.0.0.1/gatehouse",
    "REDIS_URL": "redis://127.0.0.1/0",
    "AUTH_KEY_ENCRYPTION_KEYS": "A" * 43 + "=",
}


def auth_settings(given: Mapping[str, str]) -> AuthSettings:
    """The settings of auth_svc as these variables give them; raises `WrongSettingsError`."""
    return _load(AuthSettings, given)


def _load(settings_class: type[SettingsT], given: Mapping[str, str]) -> SettingsT:
    with as_environment({**_PLACEHOLDERS, **given}):
        try:
            return load_settings(settings_class)
        except SettingsInvalid as error:
            raise WrongSettingsError(error.lines) from None


def _report(environment: Environment) -> dict[str, Any]:
    """Where the gateway is to listen, and a line about every wrong value of any service."""
    services = (*variables(GatewaySettings), *variables(AuthSettings))
    lines = environment.mistaken({"MIGRATION_DATABASE_URL", *(one.env for one in services)})
    for settings_class in (GatewaySettings, AuthSettings):
        try:
            _load(settings_class, environment.variables)
        except WrongSettingsError as error:
            lines += [line for line in error.lines if line not in lines]
    if lines:
        return {"lines": lines}
    http = _load(GatewaySettings, environment.variables).http
    return {"lines": [], "host": http.host, "port": http.port}


if __name__ == "__main__":
    raw(json.dumps(_report(Environment.read())))
