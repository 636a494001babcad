"""One load on one server: `python -m benchmarks.http me|refresh`."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import uvloop

from benchmarks.http.client import NextRequest, keep_asking
from benchmarks.process import obey, read_job

_HEAD = (
    "{line} HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n"
    "Accept: application/json\r\n"
)
_WARM_UP = 0.5  # s


def me(tokens: dict[str, Any]) -> NextRequest:
    """The same `GET /v1/auth/me` again and again."""
    head = _HEAD.format(line="GET /v1/auth/me")
    request = f"{head}Authorization: Bearer {tokens['access_token']}\r\n\r\n".encode()
    return lambda _: request


def refresh(tokens: dict[str, Any]) -> NextRequest:
    """`POST /v1/auth/refresh` with the token that the latest answer brought."""
    latest = tokens["refresh_token"]

    def following(answer: bytes) -> bytes:
        nonlocal latest
        if answer:
            latest = json.loads(answer)["refresh_token"]
        body = json.dumps({"refresh_token": latest})
        head = _HEAD.format(line="POST /v1/auth/refresh")
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    return following


_KINDS = {"me": me, "refresh": refresh}


async def load(kind: str, *, port: int, sessions: list[dict[str, Any]], seconds: float) -> None:
    """Warm up, then ask for `seconds` when told to: `go` as fast as answers come, `go 700` at 700 requests a second."""
    ask = partial(keep_asking, port, [_KINDS[kind](tokens) for tokens in sessions])
    await ask(seconds=_WARM_UP)

    async def go(rate: str = "0") -> dict[str, Any]:
        return await ask(seconds=seconds, rate=float(rate))

    await obey({"go": go})


if __name__ == "__main__":
    job = read_job()
    uvloop.run(load(sys.argv[1], **job))
