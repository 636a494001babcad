"""From an HTTP request to the JSON of a contract's request.

A body is checked for type and size and goes on as it is: the service that knows its rules reads it. Only what travels in
the path or in the query is put together here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, get_origin
from urllib.parse import parse_qsl

from pydantic_core import from_json

from libs.app import Exchange, RequestTimeout, UnsupportedMediaType
from libs.messaging import AnyOperation, Empty, FieldError, Http, ValidationFailed

_BODY_SECONDS = 30.0
_MAX_QUERY_FIELDS = 100
_JSON = b"application/json"
_LISTS = {list, tuple, set, frozenset}


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Incoming:
    """Reads the requests of one contract."""

    def __init__(self, operation: AnyOperation, http: Http) -> None:
        self._operation = operation
        self._takes_body = http.body
        self._has_path_fields = bool(http.path_fields)
        self._is_empty = issubclass(operation.request, Empty)
        self.needs_body = any(
            field.is_required()
            for name, field in operation.request.model_fields.items()
            if name not in http.path_fields
        )
        self._lists = {
            name
            for name, field in operation.request.model_fields.items()
            if get_origin(field.annotation) in _LISTS
        }

    async def read(self, exchange: Exchange, query: bytes, path: Mapping[str, str]) -> bytes:
        """The request's JSON; ``path`` holds the fields that the path carries.

        Raises `UnsupportedMediaType`, `RequestTimeout`, `ValidationFailed`, or `ClientGone`; the edge refuses a body that is
        too large.
        """
        if self._takes_body:
            body = await self.body(exchange)
            return self._merged(body, path) if self._has_path_fields else body
        if self._is_empty and not query:
            return b"{}"
        return self._checked({**self._query(query), **path})

    async def body(self, exchange: Exchange, *, media_type: bytes = _JSON) -> bytes:
        """The whole body, of this media type; raises as `read` does."""
        headers = exchange.headers
        if b"content-encoding" in headers:
            raise UnsupportedMediaType("a content encoding is not supported")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _whole_body(exchange)
        except TimeoutError:
            raise RequestTimeout from None
        if not body and not self.needs_body:
            return b"{}"
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != media_type:
            raise UnsupportedMediaType
        return body

    def _merged(self, body: bytes, path: Mapping[str, str]) -> bytes:
        """The body's object with the fields of the path; a body must not name them itself."""
        try:
            fields = from_json(body)
        except ValueError:
            failed = ValidationFailed("the body is not JSON")
            failed.status = HTTPStatus.BAD_REQUEST
            raise failed from None
        if not isinstance(fields, dict):
            raise ValidationFailed(errors=[FieldError(field="body", message="Input should be an object")])
        for name in path.keys() & fields.keys():
            raise ValidationFailed(errors=[FieldError(field=name, message="The path says it already")])
        return self._checked({**fields, **path})

    def _query(self, query: bytes) -> dict[str, Any]:
        """The query's fields: a string each, or a list where the field is one or the name is repeated."""
        try:
            pairs = parse_qsl(
                query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS
            )
        except ValueError:
            raise ValidationFailed("the query has too many fields") from None
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        return {
            name: found if name in self._lists or len(found) > 1 else found[0]
            for name, found in values.items()
        }

    def _checked(self, fields: Mapping[str, Any]) -> bytes:
        """The request that the fields make; numbers and the like may stand there as text."""
        request = self._operation.decode_request(json.dumps(fields).encode())
        return self._operation.encode_request(request)


async def _whole_body(exchange: Exchange) -> bytes:
    """Every part of the body, bounded by the edge."""
    parts = []
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
