"""The platform: which processes it is made of, where they listen, and what each is told."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from apps.cli.app_process import AppProcess
from apps.cli.record import Part, RunRecord
from apps.cli.settings import Environment
from libs.local import LocalServices, Service

PRIVATE: Final[Mapping[str, str]] = {
    "postgres": "DATABASE_URL",
    "rabbitmq": "AMQP_URL",
    "redis": "REDIS_URL",
    "mail": "AUTH_SMTP_URL",
}
"""The services, and the variable that says where one is when it is not to be a private one."""

_KEYS: Final = "AUTH_KEY_ENCRYPTION_KEYS"


def private_services(environment: Environment) -> list[str]:
    """The services that no variable points to."""
    return [name for name, variable in PRIVATE.items() if environment.get(variable) is None]


@dataclass(frozen=True)
class Door:
    """Where clients reach the gateway."""

    host: str
    port: int
    explicit: bool
    """Whether the user named the port; else any free one will do."""


class Platform:
    """Everything that `up` runs: private services where none are given, auth_svc, and the gateway's processes."""

    def __init__(self, environment: Environment, local: LocalServices, door: Door, workers: int) -> None:
        self._environment = environment
        self._local = local
        names = private_services(environment)
        self.private: list[Service] = [service for service in local.all if service.name in names]
        self._encryption_keys = environment.get(_KEYS) or local.state.keep(
            _KEYS, base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        )
        self.auth = self._auth()
        self.gateways = [self._gateway(number, door) for number in range(1, workers + 1)]

    @property
    def tiers(self) -> list[list[Service]]:
        """In the order of stopping."""
        services = sorted(self.private, key=lambda service: service.name == "rabbitmq")
        return [[*self.gateways], [self.auth], *([service] for service in services)]

    @property
    def operator_variables(self) -> dict[str, str]:
        """What an operator's command is told: every address, as those who may do most, and the key of the keys."""
        database_url = self._service_url("postgres")
        if any(service is self._local.postgres for service in self.private):
            owner_url = self._local.postgres.migration_url
        else:
            owner_url = self._environment.get("MIGRATION_DATABASE_URL") or database_url
        return {
            "DATABASE_URL": database_url,
            "MIGRATION_DATABASE_URL": owner_url,
            "AMQP_URL": self._service_url("rabbitmq"),
            "REDIS_URL": self._service_url("redis"),
            _KEYS: self._encryption_keys,
        }

    def record(self, pid: int, *, ready: bool) -> RunRecord:
        """Where everything is."""
        processes = [*self.gateways, self.auth]
        parts = {
            process.name: Part(
                url=process.url, pid=process.pid if process.running else None, operations=process.operations
            )
            for process in processes
        }
        parts |= {name: Part(url=self._service_url(name)) for name in PRIVATE}
        return RunRecord(pid=pid, ready=ready, parts=parts, variables=self.operator_variables)

    def _auth(self) -> AppProcess:
        operations = self._operations_port("AUTH_OPERATIONS_PORT", "auth_svc")
        ours = {
            **_wide(self._environment),
            **self._connections("auth_svc"),
            "DATABASE_URL": self._service_url("postgres"),
            "AUTH_OPERATIONS_PORT": str(operations),
            "AUTH_SMTP_URL": self._service_url("mail"),
            _KEYS: self._encryption_keys,
        }
        return AppProcess(
            self._local.state,
            "auth_svc",
            module="apps.auth_svc.auth_svc_main",
            variables=self._environment.merged(ours, without=("MIGRATION_DATABASE_URL",)),
            url=f"http://127.0.0.1:{operations}",
            operations=f"http://127.0.0.1:{operations}",
        )

    def _gateway(self, number: int, door: Door) -> AppProcess:
        """One process of the gateway; all share the port that `up` holds, and the kernel spreads the connections."""
        name = "gateway" if number == 1 else f"gateway-{number}"
        operations = self._operations_port("GATEWAY_OPERATIONS_PORT" if number == 1 else "", name)
        ours = {
            **self._connections("gateway"),
            "GATEWAY_HOST": door.host,
            "GATEWAY_PORT": str(door.port),
            "GATEWAY_REUSE_PORT": "true",
            "GATEWAY_OPERATIONS_PORT": str(operations),
        }
        return AppProcess(
            self._local.state,
            name,
            module="apps.gateway.gateway_main",
            variables=self._environment.merged(
                ours, without=("AUTH_SMTP_URL", "DATABASE_URL", "MIGRATION_DATABASE_URL", _KEYS)
            ),
            url=f"http://{_reachable(door.host)}:{door.port}",
            operations=f"http://127.0.0.1:{operations}",
        )

    def _connections(self, user: str) -> dict[str, str]:
        """RabbitMQ as the process's own user, and Redis."""
        variables = {"REDIS_URL": self._service_url("redis")}
        given = self._environment.get("AMQP_URL")
        if given is None:
            variables["AMQP_URL"] = self._local.rabbitmq.url_for(user)
        elif self._environment.get("TRUSTED_CALLERS") is None:
            # One URL for all: then the gateway speaks as that URL's user.
            variables["TRUSTED_CALLERS"] = urlsplit(given.split(",")[0].strip()).username or "guest"
        return variables

    def _service_url(self, name: str) -> str:
        given = self._environment.get(PRIVATE[name])
        private = {service.name: service.url for service in self._local.all}
        return given or private[name]

    def _operations_port(self, variable: str, name: str) -> int:
        given = int(self._environment.get(variable) or 0)
        return given or self._local.state.port(f"{name}_operations")


def _wide(environment: Environment) -> dict[str, str]:
    """Rates for a machine on which every client has the same address, unless others are given."""
    rates = {
        "AUTH_LOGIN_FAILURES_PER_HOUR": "100000",
        "AUTH_REGISTER_PER_HOUR": "100000",
        "AUTH_REFRESH_PER_MINUTE": "100000",
        "AUTH_TOKEN_PER_MINUTE": "100000",
        "AUTH_MAIL_CLIENT_PER_HOUR": "100000",
        "AUTH_MAIL_ADDRESS_PER_HOUR": "30",
        "AUTH_MAIL_ADDRESS_TOTAL_PER_HOUR": "100",
    }
    return {name: value for name, value in rates.items() if environment.get(name) is None}


def _reachable(host: str) -> str:
    """An address of this machine under which a server that listens on `host` answers."""
    if host in {"0.0.0.0", "::", ""}:  # ruff: ignore[hardcoded-bind-all-interfaces]  it is recognised, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
