"""How an error of a service looks to a realtime client."""

from __future__ import annotations

from libs.messaging import AppError, Overloaded, TimedOut, Unavailable, UnknownOperation
from libs.realtime.codes import INTERNAL, METHOD_NOT_FOUND, TOO_MANY_REQUESTS, Error


def refusal(error: AppError) -> Error:
    """The protocol's own codes for what may go away by itself; else the HTTP status, and Gatehouse's code as message."""
    if isinstance(error, Overloaded):
        return TOO_MANY_REQUESTS
    if isinstance(error, Unavailable | TimedOut):
        return INTERNAL
    if isinstance(error, UnknownOperation):
        return METHOD_NOT_FOUND
    return Error(error.status, error.code)
