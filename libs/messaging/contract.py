"""A contract: the name of an operation or an event, what it carries, who may use it, and its HTTP face.

An operation is declared once, in ``libs/domain/<service>/contract.py``; from that one object come the RPC server, the
typed client, the HTTP route with its OpenAPI entry, and the WebSocket method.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from libs.messaging.errors import Unreadable, ValidationFailed

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_SHORT_STRING = 255  # bytes; AMQP 0-9-1 section 4.2.5.3, and a routing key is one


class Request(BaseModel):
    """What a caller sends: a field that the contract does not know is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Patch(Request):
    """A change in part: a field that the sender did not name stays as it is, and does not travel."""

    @model_serializer(mode="wrap")
    def _named(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        return {name: value for name, value in fields.items() if name in self.model_fields_set}


class Reply(BaseModel):
    """What comes back, or what an event carries: unknown fields are ignored, so that a service may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Empty(Request):
    """Nothing: `{}`."""


RequestT = TypeVar("RequestT", bound=BaseModel)
ReplyT = TypeVar("ReplyT", bound=BaseModel)
PayloadT = TypeVar("PayloadT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an operation from outside."""

    kind: Literal["public", "authenticated", "scope", "services"]
    scope: str = ""


PUBLIC = Access("public")
"""Anybody, without a token."""
AUTHENTICATED = Access("authenticated")
"""Whoever has a valid access token; the default."""
SERVICES = Access("services")
"""Other services only: the gateway opens no way to it."""


def scope(name: str) -> Access:
    """Whoever has a valid access token with this scope (RFC 6749, section 3.3)."""
    return Access("scope", name)


@dataclass(frozen=True, slots=True)
class Http:
    """The HTTP face of an operation: ``path`` may name request fields in braces (``/v1/auth/sessions/{id}``)."""

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    status: int = 200
    no_store: bool = False
    """A public operation answers with ``Cache-Control: no-store``, as token responses must (RFC 6749, section 5.1).

    Any other does so without being told to.
    """
    body: bool = True
    """Whether the fields outside the path travel as a JSON body, and not in the query."""
    accepted: type[BaseModel] | None = None
    """A reply of this kind has status 202: what was asked for waits for something more."""
    oauth: bool = False
    """A token endpoint (RFC 6749, section 3.2): also a form, the client also by HTTP Basic, and errors as OAuth has them."""

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The request fields that the path carries."""
        return tuple(re.findall(r"{(\w+)}", self.path))


def get(path: str, *, status: int = 200) -> Http:
    """A GET; request fields outside the path travel in the query."""
    return Http("GET", path, status, body=False)


def post(
    path: str,
    *,
    status: int = 200,
    no_store: bool = False,
    accepted: type[BaseModel] | None = None,
    oauth: bool = False,
) -> Http:
    """A POST with the request as its JSON body; replies of the kind ``accepted`` have status 202."""
    return Http("POST", path, status, no_store, accepted=accepted, oauth=oauth)


def patch(path: str, *, status: int = 200) -> Http:
    """A PATCH with the request as its JSON body."""
    return Http("PATCH", path, status)


def delete(path: str, *, status: int = 204, body: bool = False) -> Http:
    """A DELETE; request fields outside the path travel in the query, or with ``body`` as JSON (a secret must)."""
    return Http("DELETE", path, status, body=body)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > _SHORT_STRING:
        raise ValueError(f"{name!r} is no contract name: it must look like 'service.verb', at most 255 bytes")
    return name


@dataclass(frozen=True, eq=False)
class Operation(Generic[RequestT, ReplyT]):
    """A request that one service answers; the part of the name before the first dot is the service.

    ``timeout`` is the caller's whole budget in seconds unless an earlier deadline is running; ``lane`` names a queue
    of its own for slow work; an ``idempotent`` operation is run again when its server died in the middle; ``websocket``
    opens it to clients on the realtime connection.
    """

    name: str
    request: type[RequestT]
    reply: type[ReplyT]
    access: Access = AUTHENTICATED
    http: Http | None = None
    lane: str = ""
    idempotent: bool = False
    websocket: bool = False
    timeout: float = 10.0
    summary: str = ""
    _requests: TypeAdapter[RequestT] = field(init=False, repr=False)
    _replies: TypeAdapter[ReplyT] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the name and the faces, and compile the codecs once."""
        _checked(self.name)
        if self.access is SERVICES and (self.http is not None or self.websocket):
            raise ValueError(f"{self.name} is for services only, so it can have no HTTP or WebSocket face")
        for name in self.http.path_fields if self.http else ():
            if name not in self.request.model_fields:
                raise ValueError(f"{self.name} has no field {name!r}, which its path names")
        object.__setattr__(self, "_requests", TypeAdapter(self.request))
        object.__setattr__(self, "_replies", TypeAdapter(self.reply))

    @property
    def service(self) -> str:
        """Who serves it: ``auth`` for ``auth.login``."""
        return self.name.partition(".")[0]

    def encode_request(self, request: RequestT) -> bytes:
        """The request as JSON."""
        return self._requests.serializer.to_json(request)

    def decode_request(self, body: bytes) -> RequestT:
        """The request that ``body`` holds; raises `ValidationFailed` with the fields that do not fit."""
        try:
            return cast("RequestT", self._requests.validator.validate_json(body))
        except ValidationError as error:
            raise ValidationFailed.of(error) from None

    def encode_reply(self, reply: ReplyT) -> bytes:
        """The reply as JSON."""
        return self._replies.serializer.to_json(reply)

    def decode_reply(self, body: bytes) -> ReplyT:
        """The reply that ``body`` holds; raises `Unreadable` where it is not what the contract says."""
        try:
            return cast("ReplyT", self._replies.validator.validate_json(body))
        except ValidationError as error:
            raise Unreadable(f"the reply to {self.name} is not what its contract says") from error


@dataclass(frozen=True, eq=False)
class Event(Generic[PayloadT]):
    """Something that happened; whoever binds its name hears it, at least once."""

    name: str
    payload: type[PayloadT]
    _payloads: TypeAdapter[PayloadT] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the name and compile the codec once."""
        _checked(self.name)
        object.__setattr__(self, "_payloads", TypeAdapter(self.payload))

    @property
    def client_facing(self) -> bool:
        """Whether it goes to clients' channels, through the log, and not to services."""
        return self.name.startswith("realtime.")

    def encode(self, payload: PayloadT) -> bytes:
        """The payload as JSON."""
        return self._payloads.dump_json(payload)

    def decode(self, body: bytes) -> PayloadT:
        """The payload that ``body`` holds; raises `ValidationFailed` where it does not fit."""
        try:
            return self._payloads.validate_json(body)
        except ValidationError as error:
            raise ValidationFailed.of(error) from None


AnyOperation = Operation[Any, Any]
AnyEvent = Event[Any]
