"""A token endpoint as OAuth clients know it (RFC 6749): a form or JSON, the client in the body or by HTTP Basic."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_plus

from pydantic_core import from_json
from starlette.responses import Response
from typing_extensions import override

from libs.app import Exchange, ProblemResponse
from libs.domain.auth import ClientInvalid, ScopeInvalid
from libs.gateway.incoming import Incoming
from libs.messaging import AnyOperation, AppError, Http, ValidationFailed

_FORM = b"application/x-www-form-urlencoded"
_MAX_FIELDS = 20
_CHALLENGE = 'Basic realm="gatehouse", charset="UTF-8"'


class OAuthIncoming(Incoming):
    """Makes the contract's JSON of whichever way the client chose, without what the contract does not know (section 3.2)."""

    def __init__(self, operation: AnyOperation, http: Http) -> None:
        super().__init__(operation, http)
        self._known = frozenset(operation.request.model_fields)

    @override
    async def read(self, exchange: Exchange, query: bytes, path: Mapping[str, str]) -> bytes:
        media_type = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type == _FORM:
            fields = _form(await self.body(exchange, media_type=_FORM))
        else:
            fields = _object(await self.body(exchange))
        fields = {name: value for name, value in fields.items() if name in self._known}
        basic = _basic(exchange.headers.get(b"authorization"))
        if basic.keys() & fields.keys():  # RFC 6749, section 2.3: one way in each request
            raise ValidationFailed("the client shows its secret in two ways")
        return json.dumps({**fields, **basic}).encode()


def refusal(error: AppError) -> Response:
    """The error as OAuth has it (RFC 6749, section 5.2), with the members of a problem beside."""
    status = HTTPStatus.BAD_REQUEST if isinstance(error, ValidationFailed) else error.status
    answer = ProblemResponse(error, {"www-authenticate": _CHALLENGE} if status == 401 else {})
    problem = json.loads(bytes(answer.body))
    said = {**problem, "status": status, "error": _code(error), "error_description": problem["title"]}
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in {"content-length", "content-type"}
    }
    return Response(json.dumps(said), status, headers | {"pragma": "no-cache"}, "application/json")


def _code(error: AppError) -> str:
    if isinstance(error, ClientInvalid):
        return "invalid_client"
    if isinstance(error, ScopeInvalid):
        return "invalid_scope"
    if isinstance(error, ValidationFailed):
        wrong = {one.field for one in error.errors}
        return "unsupported_grant_type" if wrong == {"grant_type"} else "invalid_request"
    later = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.retry_after is not None
    return "temporarily_unavailable" if later else "invalid_request"


def _form(body: bytes) -> dict[str, object]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise ValidationFailed("the form cannot be read") from None
    fields: dict[str, object] = dict(pairs)
    if len(fields) != len(pairs):  # RFC 6749, section 3.2: no parameter twice
        raise ValidationFailed("a field of the form is there twice")
    return {name: value for name, value in fields.items() if value}  # section 3.2: empty is left out


def _object(body: bytes) -> dict[str, object]:
    try:
        found = from_json(body)
    except ValueError:
        raise ValidationFailed("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ValidationFailed("the body is no object")
    return found


def _basic(authorization: bytes | None) -> dict[str, object]:
    """Client id and secret of HTTP Basic, each form-encoded (RFC 6749, section 2.3.1)."""
    if authorization is None:
        return {}
    if authorization[:6].lower() != b"basic ":
        raise ClientInvalid
    try:
        id_, colon, secret = b64decode(authorization[6:].strip(), validate=True).decode().partition(":")
    except (Base64Error, ValueError):
        raise ClientInvalid from None
    if not colon:
        raise ClientInvalid
    return {"client_id": unquote_plus(id_), "client_secret": unquote_plus(secret)}
