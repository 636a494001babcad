"""The settings of the realtime door: namespaces of channels, and what a connection may cost."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import from_json

from libs.messaging import SERVICES, Empty, Operation

Rule: TypeAlias = Literal["anyone", "authenticated", "owner", "token", "service"]
Who: TypeAlias = Literal["nobody", "subscribers", "clients"]
"""Nobody, the subscribers of the channel, or every client that is connected."""
_NAMESPACE = re.compile(r"[-a-zA-Z0-9_]{2,}")


class Namespace(BaseModel):
    """What may be done in the channels ``<namespace>:<name>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subscribe: frozenset[Rule] = frozenset()
    """Any one of them lets a client in: ``authenticated``: whoever is signed in (``anyone``: also who is not, where
    GATEWAY_REALTIME_ANONYMOUS admits them); ``owner``: whom the channel names
    behind ``#``; ``token``: who brings a subscription token; ``service``: whom the owning service lets in."""
    subscribe_operation: str = ""
    """The operation that the rule ``service`` asks; by default ``<namespace>.subscribe``."""
    personal: bool = False
    """Every signed-in client is subscribed to ``<namespace>:#<account id>`` when it connects."""
    foreign_users: bool = False
    """``owner`` and ``personal`` also hold for the users of connection tokens that are not ours, who are no accounts."""
    publish: Who = "nobody"
    """Which clients may publish; services always may, over AMQP."""
    history_size: int = Field(0, ge=0, le=100_000)
    """Publications kept per channel."""
    history_seconds: int = Field(0, ge=0, le=7 * 86_400)
    """How long they are kept (s)."""
    read_history: Who = "subscribers"
    """Which clients may ask for the history."""
    recovery: bool = False
    """A client that comes back gets what it missed; needs a history."""
    presence: bool = False
    """Who is subscribed can be asked."""
    read_presence: Who = "subscribers"
    """Which clients may ask who is subscribed."""
    join_leave: bool = False
    """Subscribers are told who comes and goes."""
    delta: bool = False
    """A client may ask for differences (fossil) in place of whole publications; needs recovery."""

    def operation(self, namespace: str) -> str:
        """What the rule ``service`` asks in this namespace."""
        return self.subscribe_operation or f"{namespace}.subscribe"

    @property
    def tells_who_moves(self) -> bool:
        """Whether who comes and goes is told; where nobody may ask who is there, nobody is told either."""
        return self.join_leave and self.read_presence != "nobody"

    @property
    def keeps_history(self) -> bool:
        """Whether its publications are kept at all."""
        return self.history_size > 0 and self.history_seconds > 0


_DEFAULT_NAMESPACES = {
    "public": Namespace(
        subscribe=frozenset({"authenticated"}), history_size=100, history_seconds=3600, recovery=True
    ),
    "user": Namespace(
        subscribe=frozenset({"owner"}),
        personal=True,
        history_size=100,
        history_seconds=3600,
        recovery=True,
    ),
    "room": Namespace(
        subscribe=frozenset({"token", "service"}),
        publish="subscribers",
        history_size=100,
        history_seconds=3600,
        recovery=True,
        presence=True,
        join_leave=True,
    ),
}


def _parsed(value: object) -> object:
    """A JSON object in a variable."""
    return from_json(value) if isinstance(value, str) else value


def _checked(namespaces: dict[str, Namespace]) -> dict[str, Namespace]:
    for name, rules in namespaces.items():
        if name and not _NAMESPACE.fullmatch(name):
            raise ValueError(f"{name!r} is no namespace: two or more of letters, digits, - and _")
        if "service" in rules.subscribe or rules.subscribe_operation:
            _check_operation(name, rules.operation(name))
        if rules.recovery and not rules.keeps_history:
            raise ValueError(f"{name}: recovery needs history_size and history_seconds")
        if rules.delta and not rules.recovery:
            raise ValueError(f"{name}: delta needs recovery")
    return namespaces


def _check_operation(namespace: str, operation: str) -> None:
    try:
        Operation(operation, Empty, Empty, access=SERVICES)
    except ValueError as error:
        raise ValueError(f"namespace {namespace!r}: subscribe_operation must be given: {error}") from error


def _names(value: object) -> object:
    """`a,b` as a set of names."""
    return frozenset(value.replace(",", " ").split()) if isinstance(value, str) else value


class RealtimeSettings(BaseModel):
    """What clients on the realtime door may do, and what each may cost."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    namespaces: Annotated[dict[str, Namespace], BeforeValidator(_parsed), AfterValidator(_checked)] = Field(
        _DEFAULT_NAMESPACES,
        validation_alias="GATEWAY_REALTIME_NAMESPACES",
        description="Channel namespaces and their rules, a JSON object by name; the name `` is for channels without one.",
    )
    token_secret: SecretStr | None = Field(
        None,
        validation_alias="GATEWAY_REALTIME_TOKEN_SECRET",
        description="Secret of connection and subscription tokens signed with HS256, at least 32 bytes; unset: none are taken.",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias="GATEWAY_REALTIME_API_KEY",
        description="Key of the server API (`/api/...`), at least 32 bytes; unset: there is none.",
    )
    anonymous: bool = Field(
        False,
        validation_alias="GATEWAY_REALTIME_ANONYMOUS",
        description="Whether clients without a token may connect; they may subscribe only where `anyone` may.",
    )
    allowed_origins: Annotated[frozenset[str], BeforeValidator(_names)] = Field(
        frozenset(),
        validation_alias="GATEWAY_REALTIME_ALLOWED_ORIGINS",
        description="Origins of web pages that may connect, beside the gateway's own, separated by commas; `*` allows all.",
    )
    ping_interval: float = Field(
        25.0,
        ge=1,
        validation_alias="GATEWAY_REALTIME_PING_INTERVAL",
        description="How often each client is pinged (s).",
    )
    pong_timeout: float = Field(
        8.0,
        gt=0,
        validation_alias="GATEWAY_REALTIME_PONG_TIMEOUT",
        description="How long a client may take to answer a ping (s); shorter than the interval.",
    )
    connect_timeout: float = Field(
        10.0,
        gt=0,
        validation_alias="GATEWAY_REALTIME_CONNECT_TIMEOUT",
        description="How long a socket may stay without a valid connect (s).",
    )
    expiry_grace: float = Field(
        25.0,
        ge=0,
        validation_alias="GATEWAY_REALTIME_EXPIRY_GRACE",
        description="How long a connection outlives its token, waiting for a refresh (s).",
    )
    max_message: int = Field(
        65_536,
        ge=1024,
        validation_alias="GATEWAY_REALTIME_MAX_MESSAGE",
        description="Largest message, or body of commands, read from a client (bytes).",
    )
    max_publication: int = Field(
        131_072,
        ge=1024,
        validation_alias="GATEWAY_REALTIME_MAX_PUBLICATION",
        description="Largest event passed on to clients (bytes); a larger one is dropped, told and counted.",
    )
    max_pending: int = Field(
        1_048_576,
        ge=65_536,
        validation_alias="GATEWAY_REALTIME_MAX_PENDING",
        description="What may wait for one client that reads slowly (bytes); beyond it the client is closed.",
    )
    max_channels: int = Field(
        128,
        ge=1,
        validation_alias="GATEWAY_REALTIME_MAX_CHANNELS",
        description="Channels of one connection.",
    )
    max_connections: int = Field(
        20_000,
        ge=1,
        validation_alias="GATEWAY_REALTIME_MAX_CONNECTIONS",
        description="Connections of one process, of whatever kind; one more is answered with 503.",
    )
    max_connections_per_user: int = Field(
        64,
        ge=1,
        validation_alias="GATEWAY_REALTIME_MAX_CONNECTIONS_PER_USER",
        description="Connections of one account on one process; one more is closed with 3504.",
    )
    max_rpcs: int = Field(
        16,
        ge=1,
        validation_alias="GATEWAY_REALTIME_MAX_RPCS",
        description="Calls of one connection that run side by side.",
    )
    commands_per_second: int = Field(
        200,
        ge=1,
        validation_alias="GATEWAY_REALTIME_COMMANDS_PER_SECOND",
        description="Commands of one connection per second, averaged over ten; beyond it the client is closed.",
    )
    command_timeout: float = Field(
        4.5,
        gt=0,
        validation_alias="GATEWAY_REALTIME_COMMAND_TIMEOUT",
        description="How long a command may take (s); the SDKs give up after 5 s.",
    )
    window_bytes: int = Field(
        67_108_864,
        ge=1_048_576,
        validation_alias="GATEWAY_REALTIME_WINDOW_BYTES",
        description="Memory of one process for the history of all channels (bytes).",
    )
    log_hours: int = Field(
        24,
        ge=1,
        validation_alias="GATEWAY_REALTIME_LOG_HOURS",
        description="How long the log in RabbitMQ keeps events (hours); the same for every gateway.",
    )
    log_bytes: int = Field(
        1_073_741_824,
        ge=1_048_576,
        validation_alias="GATEWAY_REALTIME_LOG_BYTES",
        description="How much the log in RabbitMQ keeps (bytes), whichever of both is less; the same for every gateway.",
    )

    @model_validator(mode="after")
    def _answers_before_the_next_ping(self) -> RealtimeSettings:
        if self.pong_timeout >= self.ping_interval:
            raise ValueError(
                "GATEWAY_REALTIME_PONG_TIMEOUT must be shorter than GATEWAY_REALTIME_PING_INTERVAL"
            )
        return self

    @property
    def presence_seconds(self) -> int:
        """How long a client that does not say so stays present (s); it does with every ping."""
        return max(60, round(2.4 * self.ping_interval))

    @property
    def longest_history(self) -> int:
        """How far back any channel's history reaches (s)."""
        return max((one.history_seconds for one in self.namespaces.values()), default=0)
