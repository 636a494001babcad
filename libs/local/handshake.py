"""Whether an AMQP server takes a user's password: the opening frames of AMQP 0-9-1, over a plain socket.

`libs.amqp` would do, were it not asynchronous and were this not asked from outside of any event loop.
"""

import socket
import struct

_START_OK = (10, 11)
_TUNE_OK = (10, 31)
_OPEN = (10, 40)
_CLOSE = (10, 50)
_FRAME_END = b"\xce"
_SECONDS = 3.0


def accepts(port: int, user: str, password: str, vhost: str) -> bool:
    """Whether a server on 127.0.0.1 lets this user into this vhost."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as link:
            return _log_in(link, user, password, vhost)
    except (OSError, struct.error):
        return False


def _log_in(link: socket.socket, user: str, password: str, vhost: str) -> bool:
    link.sendall(b"AMQP\x00\x00\x09\x01")
    if _method(link) != (10, 10):
        return False
    answer = f"\0{user}\0{password}".encode()
    _send(link, _START_OK, _long("") + _short("PLAIN") + _long(answer.decode()) + _short("en_US"))
    if _method(link) != (10, 30):
        return False
    _send(link, _TUNE_OK, struct.pack(">HIH", 1, 131_072, 0))
    _send(link, _OPEN, _short(vhost) + _short("") + b"\0")
    opened = _method(link) == (10, 41)
    _send(link, _CLOSE, struct.pack(">H", 200) + _short("") + struct.pack(">HH", 0, 0))
    return opened


def _method(link: socket.socket) -> tuple[int, int]:
    """Read one frame; the class and method it carries."""
    kind, _, size = struct.unpack(">BHI", _exactly(link, 7))
    payload = _exactly(link, size + 1)
    if kind != 1 or not payload.endswith(_FRAME_END):
        raise OSError("not AMQP")
    class_id, method_id = struct.unpack(">HH", payload[:4])
    return class_id, method_id


def _exactly(link: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = link.recv(size - len(received))
        if not chunk:
            raise OSError("closed")
        received += chunk
    return received


def _send(link: socket.socket, method: tuple[int, int], arguments: bytes) -> None:
    payload = struct.pack(">HH", *method) + arguments
    link.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + _FRAME_END)


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _long(text: str) -> bytes:
    return struct.pack(">I", len(text.encode())) + text.encode()
