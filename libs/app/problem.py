"""Errors as HTTP: the one place where an `AppError` becomes a response (RFC 9457).

The errors of HTTP itself, which no service answers:

    AppError
    ├── Malformed               http.malformed               400
    ├── NotFound                http.not_found               404
    ├── MethodNotAllowed        http.method_not_allowed      405
    ├── RequestTimeout          http.request_timeout         408
    ├── BodyTooLarge            http.body_too_large          413
    ├── UnsupportedMediaType    http.unsupported_media_type  415
    ├── HeadTooLarge            http.head_too_large          431
    ├── MethodUnknown           http.method_unknown          501
    ├── Stopping                http.stopping                503
    └── HttpRefused             http.refused                 whatever else a route answers by HTTPException
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from libs.messaging import AppError, InternalError, ValidationFailed, field_errors

_log = structlog.get_logger(__name__)
PROBLEM_MEDIA_TYPE = "application/problem+json"


class Malformed(AppError):
    """What arrived is not HTTP."""

    code = "http.malformed"
    status = 400
    title = "The request is not HTTP"


class NotFound(AppError):
    """There is nothing at this path."""

    code = "http.not_found"
    status = 404
    title = "There is nothing at this path"


class MethodNotAllowed(AppError):
    """The path does not take this method; `Allow` names those that it takes."""

    code = "http.method_not_allowed"
    status = 405
    title = "The path does not take this method"


class RequestTimeout(AppError):
    """The request's body did not arrive in time."""

    code = "http.request_timeout"
    status = 408
    title = "The request did not arrive in time"


class BodyTooLarge(AppError):
    """The request's body is larger than the server reads."""

    code = "http.body_too_large"
    status = 413
    title = "The body is too large"


class UnsupportedMediaType(AppError):
    """The request's body must be JSON, without a content encoding."""

    code = "http.unsupported_media_type"
    status = 415
    title = "The body must be application/json, not encoded"


class HeadTooLarge(AppError):
    """The request's line and headers are larger than the server reads."""

    code = "http.head_too_large"
    status = 431
    title = "The head of the request is too large"


class MethodUnknown(AppError):
    """The request's method is none that the server knows; methods are case-sensitive."""

    code = "http.method_unknown"
    status = 501
    title = "There is no such method here"


class Stopping(AppError):
    """The server stopped before the request was answered; whether it was carried out is not known."""

    code = "http.stopping"
    status = 503
    title = "The server stopped before it could answer"
    default_retry_after = 1


class HttpRefused(AppError):
    """The request was refused."""

    code = "http.refused"
    status = 400
    title = "The request was refused"


_BY_STATUS: Mapping[int, type[AppError]] = {
    error.status: error for error in (NotFound, MethodNotAllowed, BodyTooLarge, UnsupportedMediaType)
}


class ProblemResponse(Response):
    """An `AppError` as its client sees it: code, title, status, detail, field errors; never the cause."""

    media_type = PROBLEM_MEDIA_TYPE

    def __init__(self, error: AppError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.problem().to_json(), error.status, {**_headers_of(error), **(headers or {})})


def _headers_of(error: AppError) -> dict[str, str]:
    headers = {"cache-control": "no-store"}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"  # RFC 9110, section 15.5.2: a 401 must challenge
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, RequestTimeout | Stopping):
        headers["connection"] = "close"  # the rest of the body may never come, or nobody is left to read it
    return headers


def render_errors(app: FastAPI) -> None:
    """Let what routes raise, and what the framework refuses, be answered as problems."""

    @app.exception_handler(AppError)
    async def app_error(_request: Request, error: AppError) -> Response:
        return problem_of(error)

    @app.exception_handler(HTTPException)
    async def http_exception(_request: Request, error: HTTPException) -> Response:
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        failed = ValidationFailed(errors=list(field_errors(found)))
        if any(one["type"] == "json_invalid" for one in found):
            failed.status = HTTPStatus.BAD_REQUEST
        return ProblemResponse(failed)

    @app.exception_handler(Exception)
    async def anything(_request: Request, error: Exception) -> Response:
        return problem_of(error)


def problem_of(error: Exception) -> ProblemResponse:
    """What the client may know of an error; of one that nobody expected, the rest goes to the log."""
    if isinstance(error, AppError):
        return ProblemResponse(error)
    if isinstance(error, HTTPException):
        return ProblemResponse(of_http(error), error.headers)
    _log.error("request_failed", exc_info=error)
    return ProblemResponse(InternalError())


def of_http(error: HTTPException) -> AppError:
    """What the framework refused, as an error of the tree."""
    found = _BY_STATUS.get(error.status_code)
    if found is not None:
        return found()
    refused = HttpRefused(str(error.detail))
    refused.status = error.status_code
    return refused
