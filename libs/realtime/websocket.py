"""WebSocket frames (RFC 6455) where the bytes arrive: whole frames are read by hand, all that is rare by `websockets`.

The reader does no I/O. What clients send all day, whole masked frames, costs a few comparisons each; fragments, close
frames and everything that breaks a rule go to the state machine of the `websockets` library, which lives only as long
as it is needed, so that an idle connection carries none.
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Iterator
from typing import NamedTuple

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FIN = 0x80
_MASKED = 0x80
_CONTROLS = _FIN | CLOSE  # from here on first bytes are those of control frames
_SHORT = 125  # the largest size that the first length field can tell (section 5.2), and the most of a control frame
_UTF_8 = getincrementaldecoder("utf-8")
_WHOLE = frozenset(_FIN | opcode for opcode in (TEXT, BINARY, PING, PONG))


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame from the server, which masks nothing (section 5.1)."""
    size = len(payload)
    if size <= _SHORT:
        return bytes((_FIN | opcode, size)) + payload
    if size < 1 << 16:
        return b"%c\x7e%b%b" % (_FIN | opcode, size.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (_FIN | opcode, size.to_bytes(8, "big"), payload)


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; ``reason`` has at most 123 bytes (section 5.5.1)."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


class Received(NamedTuple):
    """A message of a client (TEXT, BINARY), or a frame to answer with (PONG; CLOSE, after which the line is closed)."""

    opcode: int
    payload: bytes


class _Head(NamedTuple):
    """Where a frame's masked payload lies."""

    size: int
    body: int
    minimal: bool

    @property
    def end(self) -> int:
        return self.body + self.size


class FrameReader:
    """Turns bytes into what was received; a message has at most ``max_message`` bytes.

    After a CLOSE nothing more may be fed.
    """

    __slots__ = ("_characters", "_max_message", "_message", "_opcode", "_rare", "_rest")

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message
        self._rest = b""
        self._rare: ServerProtocol | None = None
        self._opcode = 0
        self._message = b""
        self._characters: IncrementalDecoder | None = None  # of a text message in fragments

    def feed(self, data: bytes) -> Iterator[Received]:
        """What is whole now; the rest waits for more bytes."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        start = 0
        while (head := _head(data, start)) is not None:
            if not head.minimal:
                yield _failure(CloseCode.PROTOCOL_ERROR, "length is not minimal")
                return
            if head.size > self._max_message or not data[start + 1] & _MASKED:
                yield from self._rarely(data[start : head.body])  # its header alone is enough
                return
            if head.end > len(data):
                break
            if (
                self._rare is None
                and data[start] in _WHOLE
                and (head.size <= _SHORT or data[start] < _CONTROLS)
            ):
                yield from _whole(data[start] & 0x0F, unmasked(data, head))
            else:
                yield from self._rarely(data[start : head.end])
            start = head.end
        self._rest = data[start:]

    def _rarely(self, raw: bytes) -> Iterator[Received]:
        """One frame through the state machine; it stays while a message is in fragments, which a close may cut short."""
        if self._rare is None or raw[0] == _FIN | CLOSE:
            self._rare = ServerProtocol(state=State.OPEN, max_size=self._max_message)
        rare = self._rare
        rare.receive_data(raw)
        for event in rare.events_received():
            if isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                yield from self._fragment(event)
        answer = b"".join(rare.data_to_send())
        if rare.state is not State.OPEN:
            yield Received(CLOSE, answer)
        elif answer:
            yield Received(PONG, answer)

    def _fragment(self, event: Frame) -> Iterator[Received]:
        if event.opcode is not Opcode.CONT:
            self._opcode = int(event.opcode)
            self._characters = _UTF_8() if event.opcode is Opcode.TEXT else None
        self._message += bytes(event.data)
        if self._characters is not None:
            try:
                self._characters.decode(bytes(event.data), final=event.fin)
            except UnicodeDecodeError:  # at once: what comes could not mend it
                yield _failure(CloseCode.INVALID_DATA, "invalid UTF-8")
                return
        if event.fin:
            message, self._message, self._rare = self._message, b"", None
            yield Received(self._opcode, message)


def _head(data: bytes, start: int) -> _Head | None:
    """The frame that starts here; None while its header is not all there."""
    available = len(data) - start
    if available < 2:
        return None
    if not data[start + 1] & _MASKED:
        return _Head(0, start + 2, minimal=True)
    size = data[start + 1] & 0x7F
    if size <= _SHORT:
        return _Head(size, start + 6, minimal=True) if available >= 6 else None
    width = 2 if size == _SHORT + 1 else 8
    if available < 6 + width:
        return None
    size = int.from_bytes(data[start + 2 : start + 2 + width], "big")
    return _Head(size, start + 6 + width, minimal=size > _SHORT if width == 2 else size >= 1 << 16)


def unmasked(data: bytes, head: _Head) -> bytes:
    """The payload without its mask, whose four bytes stand before it (section 5.3)."""
    if not head.size:
        return b""
    key = data[head.body - 4 : head.body] * (head.size // 4 + 1)
    masked = int.from_bytes(data[head.body : head.end], "big")
    return (masked ^ int.from_bytes(key[: head.size], "big")).to_bytes(head.size, "big")


def _whole(opcode: int, payload: bytes) -> Iterator[Received]:
    if opcode == PING:
        yield Received(PONG, frame(PONG, payload))
    elif opcode == TEXT and not _is_text(payload):
        yield _failure(CloseCode.INVALID_DATA, "invalid UTF-8")
    elif opcode != PONG:
        yield Received(opcode, payload)


def _is_text(payload: bytes) -> bool:
    """Whether a text message is UTF-8, as it must be (section 8.1)."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _failure(code: int, reason: str) -> Received:
    return Received(CLOSE, close_frame(code, reason))
