"""Payloads of others on their way to clients: JSON, passed on as it came."""

from __future__ import annotations

from pydantic_core import from_json


def one_line(body: bytes) -> bytes:
    """The JSON without line breaks, which would end the protocol's message; raises ValueError for what is no JSON.

    In valid JSON a line break only stands between tokens: inside a string it is escaped (RFC 8259, section 7).
    """
    from_json(body, allow_inf_nan=False)
    return body.replace(b"\n", b"").replace(b"\r", b"")
