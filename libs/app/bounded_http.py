"""HTTP/1.1 as uvicorn speaks it, held to bounds and to rules that it leaves to others.

By itself it would read a head of any size and wait for it for ever, takes a request for no host or for several, and calls
a method that it does not know no HTTP.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any, cast

import httptools
from typing_extensions import override
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from libs.app.edge import ABORT, WRITE_ANSWER
from libs.app.problem import HeadTooLarge, Malformed, MethodUnknown, ProblemResponse
from libs.messaging import AppError

_HEAD_SECONDS = 10.0  # from a connection's first byte, or from the first of its next request
_MAX_HEAD = 32_768  # bytes of a request's line and headers
_LINGER_SECONDS = 2.0  # for which a refused client may go on sending, unheard
# A method is any token, also one that nobody knows (RFC 9112, section 3; RFC 9110, section 5.6.2).
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) [!-~]+ HTTP/1\.[01]\r\n")


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._head_until = 0.0
        self._refused = False
        self._unreadable = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        in_body = cycle is not None and cycle.more_body
        if not in_body and data.find(b"\r\n\r\n", 0, _MAX_HEAD) < 0 and len(data) > _MAX_HEAD:
            self._refuse(HeadTooLarge())
            return
        super().data_received(data)
        if self._unreadable:
            begins_here = self.cycle is cycle and not in_body
            self._refuse(MethodUnknown() if begins_here and _has_unknown_method(data) else Malformed())
        elif self.cycle is not cycle:  # the head of a request is complete
            self._head_bytes = 0
            self._head_until = 0.0
        elif not self.transport.is_closing() and self.transport.get_protocol() is self:
            self._between_heads(0 if in_body else len(data))

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        extensions: dict[str, Any] = {
            WRITE_ANSWER: partial(_write_answer, cycle),
            ABORT: cycle.transport.abort,
        }
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)

    @override
    def _should_upgrade(self) -> bool:
        # An upgrade asked for in HTTP/1.0 is ignored (RFC 9110, section 7.8).
        return self.scope["http_version"] != "1.0" and super()._should_upgrade()

    @override
    def on_headers_complete(self) -> None:
        names = [name for name, _ in self.headers]
        hosts = names.count(b"host")
        if names.count(b"authorization") > 1:
            raise ValueError("one Authorization at most: it is no list (RFC 9110, section 5.3)")
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):
            raise ValueError("one Host is needed (RFC 9112, section 3.2)")  # the parser refuses the request
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None:
            cycle.more_body = False  # also where the answer came before the end of the body

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        cycle = self.cycle
        if cycle.more_body and cycle.response_complete and not self.transport.is_closing():
            self._between_heads(0)  # nobody reads the rest of the body: it is discarded, but not for ever

    @override
    def send_400_response(self, msg: str) -> None:
        self._unreadable = True

    def _between_heads(self, size: int) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        answered = cycle is None or cycle.response_complete
        if cycle is not None and cycle.more_body:
            if not answered:
                return  # a body, which the application reads
        else:
            self._head_bytes += size
        if self._head_bytes > _MAX_HEAD:
            self._refuse(HeadTooLarge())
        elif answered:
            self._head_until = self._head_until or self.loop.time() + _HEAD_SECONDS
            self._await_head(self._head_until - self.loop.time())

    def _await_head(self, seconds: float = _HEAD_SECONDS) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _refuse(self, error: AppError) -> None:
        response = ProblemResponse(error)
        headers = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
        head = STATUS_LINE[error.status] + headers + b"connection: close\r\n\r\n"
        self.transport.write(head + bytes(response.body))
        self._linger()

    def _linger(self) -> None:
        """End our side, and read on for a while (RFC 9112, section 9.6).

        Closed on unread bytes, the connection would be reset, and the answer lost with it.
        """
        self._refused = True
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._await_head(_LINGER_SECONDS)


def _has_unknown_method(data: bytes) -> bool:
    """Whether a request begins here whose line is as it must be, but for a method that the parser does not take."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        return False
    try:
        httptools.HttpRequestParser(object()).feed_data(line[1] + b" / HTTP/1.1\r\n")
    except httptools.HttpParserError:
        return True
    return False


def _write_answer(
    cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> bool:
    """The whole answer in one write, without looking at each header again: half of what an answer costs in uvicorn."""
    if cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
        return False
    cycle.response_started = cycle.response_complete = True
    lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    content = b"" if cycle.scope["method"] == "HEAD" else body
    cycle.transport.write(b"".join([STATUS_LINE[status], *lines, end, content]))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True
