"""What the realtime doors answer over HTTP, beside the errors of HTTP itself: `AppError` with codes ``realtime.*``."""

from __future__ import annotations

from typing import ClassVar

from libs.messaging import AppError


class OriginRefused(AppError):
    """A page of this origin may not connect."""

    code = "realtime.origin_refused"
    status = 403
    title = "A page of this origin may not connect"


class SessionNotFound(AppError):
    """There is no such realtime session, or not any more: connect again."""

    code = "realtime.session_not_found"
    status = 404
    title = "There is no such session"


class TooManyConnections(AppError):
    """The process has as many realtime connections as it takes."""

    code = "realtime.too_many_connections"
    status = 503
    title = "There are too many connections"
    default_retry_after: ClassVar[int | None] = 5
