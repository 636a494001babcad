"""The settings of the broker connection."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from libs.amqp import Endpoint


def _names(value: object) -> object:
    """`a,b` as a set of names."""
    return frozenset(value.replace(",", " ").split()) if isinstance(value, str) else value


def _parse(urls: SecretStr) -> list[Endpoint]:
    return [Endpoint.parse(url.strip()) for url in urls.get_secret_value().split(",")]


def _urls(urls: SecretStr) -> SecretStr:
    """Refuse what is no broker's URL before anything connects."""
    _parse(urls)
    return urls


class BrokerSettings(BaseModel):
    """How a service reaches RabbitMQ and how much it lets wait."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(_urls)] = Field(
        validation_alias="AMQP_URL",
        description="Broker URLs, `amqp://user:password@host:port/vhost` or `amqps://`, several separated by commas.",
    )
    connect_timeout: float = Field(
        30.0,
        gt=0,
        validation_alias="AMQP_CONNECT_TIMEOUT",
        description="How long a start waits for the broker (s).",
    )
    heartbeat: int = Field(
        20, ge=5, le=600, validation_alias="AMQP_HEARTBEAT", description="Heartbeat asked of the broker (s)."
    )
    max_in_flight: int = Field(
        10_000,
        ge=1,
        validation_alias="RPC_MAX_IN_FLIGHT",
        description="Calls of one process that may wait for a reply; more are refused as overloaded.",
    )
    trusted_callers: Annotated[frozenset[str], BeforeValidator(_names)] = Field(
        frozenset({"gateway"}),
        validation_alias="TRUSTED_CALLERS",
        description="RabbitMQ users whose `identity` and `client` headers count, separated by commas.",
    )
    queue_type: Literal["classic", "quorum"] = Field(
        "classic",
        validation_alias="RPC_QUEUE_TYPE",
        description="Type of the RPC queues: `quorum` in a cluster, where a classic queue is gone with its node.",
    )
    max_body: int = Field(
        1_048_576,
        ge=1024,
        validation_alias="RPC_MAX_BODY",
        description="Largest request or event body read (bytes).",
    )
    event_timeout: float = Field(
        60.0,
        gt=0,
        validation_alias="EVENT_TIMEOUT",
        description="How long a listener may take for one event; it is stopped then, and the event dead-lettered (s).",
    )
    clock_skew: float = Field(
        1.0,
        ge=0,
        validation_alias="RPC_CLOCK_SKEW",
        description="Tolerated difference between machines' clocks (s).",
    )
    drain_timeout: float = Field(
        20.0,
        gt=0,
        validation_alias="DRAIN_TIMEOUT",
        description="How long a stop waits for running handlers (s).",
    )

    @cached_property
    def endpoints(self) -> list[Endpoint]:
        """The brokers, with the credentials of this service."""
        return _parse(self.url)

    @property
    def user(self) -> str:
        """The RabbitMQ user of this service."""
        return self.endpoints[0].user
