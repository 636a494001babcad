"""The opening handshake (RFC 6455, section 4.2) as the `websockets` library makes it, and what that leaves to others."""

from __future__ import annotations

from http import HTTPStatus

from typing_extensions import override
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

_VERSION = "13"


class OpeningHandshake(ServerProtocol):
    """Asks for a host (section 4.2.1), and tells a client of another version which one is spoken (section 4.4)."""

    @override
    def accept(self, request: Request) -> Response:
        """The response: 101, or why not."""
        if len(request.headers.get_all("Host")) != 1:
            return self.reject(HTTPStatus.BAD_REQUEST, "one Host is needed\n")
        if request.headers.get_all("Sec-WebSocket-Version") != [_VERSION]:
            response = self.reject(HTTPStatus.UPGRADE_REQUIRED, f"version {_VERSION} is spoken\n")
            response.headers["Upgrade"] = "websocket"
            response.headers["Sec-WebSocket-Version"] = _VERSION
            return response
        return super().accept(request)
