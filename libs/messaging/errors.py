"""The errors of Gatehouse: a small tree of classes, each with a code of its own.

    AppError                       what a client may be told: code, status, title, detail
    ├── ValidationFailed           validation.failed      422 (400 when the body is not JSON)
    ├── InternalError              internal               500
    ├── RemoteError                a service's error whose class this process does not know
    ├── UnknownOperation           rpc.unknown_operation  501
    └── CallError                  a call that got no answer from its service
        ├── Unavailable            rpc.unavailable        503
        ├── Overloaded             rpc.overloaded         503
        ├── TimedOut               rpc.timeout            504
        ├── Unreadable             rpc.unreadable         502
        └── Interrupted            rpc.interrupted        502

A service adds classes in ``libs/domain/<name>/errors.py``; the class is found again by its code on the caller's side.
An error carries what the client may know and nothing else: the cause belongs to the log (``raise ... from cause``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import override

_MAX_FIELD_ERRORS = 20


class FieldError(BaseModel):
    """One field that cannot be accepted, named by its path in the body (``address.city``)."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str


class Problem(BaseModel):
    """An error as it travels: the body of an error reply and of an HTTP error (RFC 9457, section 3)."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    code: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    retry_after: int | None = Field(default=None, description="Seconds to wait before another try.")

    def to_json(self) -> bytes:
        """The body: absent members are left out, as RFC 9457 allows."""
        absent = {
            name for name, nothing in (("detail", not self.detail), ("errors", not self.errors)) if nothing
        }
        return self.model_dump_json(exclude=absent, exclude_none=True).encode()


class AppError(Exception):
    """The request cannot be done."""

    code: str
    status: int
    title: str
    default_retry_after: ClassVar[int | None] = None
    _classes: ClassVar[dict[str, type[AppError]]] = {}

    @override
    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class under its code; a code names one class only."""
        super().__init_subclass__(**kwargs)
        code = cls.__dict__.get("code")
        if code is None:
            return
        if code in AppError._classes:
            raise TypeError(f"the error code {code!r} is {AppError._classes[code].__name__}'s already")
        AppError._classes[code] = cls

    def __init__(
        self, detail: str = "", *, errors: Sequence[FieldError] = (), retry_after: int | None = None
    ) -> None:
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = self.default_retry_after if retry_after is None else retry_after
        super().__init__(detail or self.title)

    def problem(self) -> Problem:
        """The error as it travels."""
        return Problem(
            code=self.code,
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
            retry_after=self.retry_after,
        )

    @staticmethod
    def from_problem(problem: Problem) -> AppError:
        """The error that ``problem`` tells of: of the class with its code, else a `RemoteError`."""
        cls = AppError._classes.get(problem.code)
        if cls is None:
            return RemoteError(problem)
        error = cls(problem.detail, errors=problem.errors, retry_after=problem.retry_after)
        error.status = problem.status  # the service may answer with a finer one
        return error

    @staticmethod
    def known() -> dict[str, type[AppError]]:
        """Every error class of this process by its code; the reference page is made from it."""
        return dict(AppError._classes)


class ValidationFailed(AppError):
    """Some fields of the request cannot be accepted."""

    code = "validation.failed"
    status = 422
    title = "The request is not valid"

    @classmethod
    def of(cls, error: ValidationError) -> ValidationFailed:
        """The fields that pydantic refused; a body that is no JSON at all has status 400.

        The refused values are not repeated: one of them may be a password.
        """
        found = error.errors(include_url=False, include_context=False, include_input=False)
        failed = cls(errors=list(field_errors(found)))
        if any(one["type"] == "json_invalid" for one in found):
            failed.status = 400
        return failed


def field_errors(found: Iterable[Any]) -> Iterable[FieldError]:
    """Pydantic's error details (``loc``, ``msg``) as `FieldError`, at most the first 20."""
    for one, _ in zip(found, range(_MAX_FIELD_ERRORS), strict=False):
        yield FieldError(field=".".join(str(part) for part in one["loc"]) or "body", message=one["msg"])


class InternalError(AppError):
    """Something failed inside; the cause is in the service's log."""

    code = "internal"
    status = 500
    title = "Something failed inside"


class RemoteError(AppError):
    """The service refused with a code that this process has no class for."""

    def __init__(self, problem: Problem) -> None:
        self.code = problem.code
        self.status = problem.status
        self.title = problem.title
        super().__init__(problem.detail, errors=problem.errors, retry_after=problem.retry_after)


class UnknownOperation(AppError):
    """The service does not know this operation: its binding outlived it."""

    code = "rpc.unknown_operation"
    status = 501
    title = "The service does not know this operation"


class CallError(AppError):
    """A call got no answer from its service; the subclasses say why."""


class Unavailable(CallError):
    """Nobody serves the operation now, or there is no connection to the broker."""

    code = "rpc.unavailable"
    status = 503
    title = "The service is not available"
    default_retry_after = 1


class Overloaded(CallError):
    """The service's queue is full, or too many calls wait already."""

    code = "rpc.overloaded"
    status = 503
    title = "The service is overloaded"
    default_retry_after = 1


class TimedOut(CallError):
    """The deadline passed before the reply came."""

    code = "rpc.timeout"
    status = 504
    title = "The service did not answer in time"


class Unreadable(CallError):
    """The reply is not what the contract says."""

    code = "rpc.unreadable"
    status = 502
    title = "The service's answer cannot be read"


class Interrupted(CallError):
    """The line or the server went away in the middle: the operation may have run."""

    code = "rpc.interrupted"
    status = 502
    title = "The call was interrupted and may have run"
