"""The server API as HTTP routes: one POST per method, the key before everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.app import BodyTooLarge, ProblemResponse, RequestTimeout
from libs.messaging import AppError, ValidationFailed
from libs.realtime.codes import INTERNAL, Error, Refused
from libs.realtime.refusals import refusal
from libs.realtime.server_api.key import ApiKey, ApiKeyInvalid
from libs.realtime.server_api.methods import Methods
from libs.realtime.server_api.requests import ApiRequest, DisconnectUser, History, Presence, Publish

PATHS = frozenset({"/api/publish", "/api/history", "/api/presence", "/api/disconnect"})
"""Where it is found. No access token opens them, an API key does."""
_BODY_SECONDS = 10.0
_WORKING_SECONDS = 8.0
_ENVELOPE = 4096  # bytes of a body beside the publication in it
_RequestT = TypeVar("_RequestT", bound=ApiRequest)


def routes(methods: Methods, key: ApiKey, *, max_publication: int) -> list[Route]:
    """The routes; a body may be little larger than a publication."""
    most = max_publication + _ENVELOPE

    def route(path: str, body: type[_RequestT], method: Callable[[_RequestT], Awaitable[bytes]]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                key.check(request.headers)
                asked = _parsed(body, await _body(request, most))
            except ApiKeyInvalid as error:
                return ProblemResponse(error, {"www-authenticate": "apikey"})
            except AppError as error:
                return ProblemResponse(error)
            return Response(await _answer(method(asked)), media_type="application/json")

        return Route(path, endpoint, methods=["POST"])

    return [
        route("/api/publish", Publish, methods.publish),
        route("/api/history", History, methods.history),
        route("/api/presence", Presence, methods.presence),
        route("/api/disconnect", DisconnectUser, methods.disconnect),
    ]


async def _answer(working: Awaitable[bytes]) -> bytes:
    """``result`` or ``error``, both with status 200, as Centrifugo answers."""
    try:
        async with asyncio.timeout(_WORKING_SECONDS):
            return b'{"result":%b}' % await working
    except Refused as error:
        return _error(error.error)
    except AppError as error:
        return _error(refusal(error))
    except TimeoutError:
        return _error(INTERNAL)


def _error(error: Error) -> bytes:
    return to_json({"error": {"code": error.code, "message": error.message}})


async def _body(request: Request, most: int) -> bytes:
    """The whole body; raises `BodyTooLarge` as soon as it cannot fit."""
    if int(request.headers.get("content-length", 0)) > most:
        raise BodyTooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise BodyTooLarge
    except TimeoutError:
        raise RequestTimeout from None
    return bytes(body)


def _parsed(body: type[_RequestT], raw: bytes) -> _RequestT:
    try:
        return body.model_validate_json(raw)
    except ValidationError as error:
        failed = ValidationFailed.of(error)
        failed.status = HTTPStatus.BAD_REQUEST
        raise failed from None
