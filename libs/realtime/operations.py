"""Calls of clients: operations whose contract opens them to WebSocket, with the same authorisation as over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from typing_extensions import override

from libs.messaging import PUBLIC, AnyOperation, Bus, Caller, Unreadable
from libs.realtime.codes import NOT_AVAILABLE, PERMISSION_DENIED, Refused
from libs.realtime.payload import one_line
from libs.realtime.ports import Rpc

_NOTHING = b"{}"


class OperationRpc(Rpc):
    """The method of a call is the operation's name, its data the request's JSON."""

    def __init__(self, bus: Bus, operations: Iterable[AnyOperation]) -> None:
        self._bus = bus
        self._operations = {one.name: one for one in operations if one.websocket}

    @override
    async def __call__(self, method: str, data: bytes, caller: Caller) -> bytes:
        operation = self._operations.get(method)
        if operation is None:
            raise Refused(NOT_AVAILABLE)
        if not _may_call(operation, caller):
            raise Refused(PERMISSION_DENIED)
        reply = await self._bus.forward(operation, data or _NOTHING, caller)
        try:
            return one_line(reply)
        except ValueError as error:
            raise Unreadable(method) from error


def _may_call(operation: AnyOperation, caller: Caller) -> bool:
    if operation.access is PUBLIC:
        return True
    identity = caller.identity
    if identity is None:
        return False
    return operation.access.kind != "scope" or operation.access.scope in identity.scopes
