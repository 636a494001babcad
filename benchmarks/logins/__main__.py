"""One part of a login benchmark: `python -m benchmarks.logins storm|raw|timing`."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import uvloop
from argon2 import PasswordHasher

from benchmarks.http.client import NextRequest, keep_asking
from benchmarks.process import obey, read_job

_HEAD = (
    "POST /v1/auth/login HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


def _login(login: str, password: str) -> bytes:
    body = json.dumps({"login": login, "password": password})
    return _HEAD.format(length=len(body), body=body).encode()


def _always(request: bytes) -> NextRequest:
    return lambda _: request


async def storm(*, port: int, logins: list[str], password: str, connections: int) -> None:
    """Logins of several accounts over many connections, `go RATE SECONDS`: served or refused, each has its figures."""
    requests = [_always(_login(logins[number % len(logins)], password)) for number in range(connections)]

    async def go(rate: str, seconds: str) -> dict[str, Any]:
        return await keep_asking(
            port, requests, seconds=float(seconds), rate=float(rate), statuses=(b"200", b"503")
        )

    await obey({"go": go})


async def raw(*, memory: int, passes: int, threads: int, cores: list[int]) -> None:
    """Argon2id with the service's parameters and as many threads as its pool has, and nothing else, `go SECONDS`."""
    os.sched_setaffinity(0, cores)
    hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1)

    def hashing(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            hasher.hash("correct horse battery staple")
            count += 1
        return count

    async def go(seconds: str) -> dict[str, Any]:
        begin = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            counts = list(pool.map(hashing, [begin + float(seconds)] * threads))
        return {"hashes_per_s": sum(counts) / (time.perf_counter() - begin)}

    await obey({"go": go})


async def timing(*, port: int, known: list[str], pairs: int) -> None:
    """Wrong passwords for known and unknown accounts in turn, one after the other: the latencies of both (ms), `go`."""

    async def go() -> dict[str, Any]:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        found: dict[str, list[float]] = {"known": [], "unknown": []}
        for number in range(pairs):
            login = known[number % len(known)]
            found["known"].append(_wrong(line, login))
            found["unknown"].append(_wrong(line, f"x{login[1:]}"))
        line.close()
        return found

    await obey({"go": go})


def _wrong(line: http.client.HTTPConnection, login: str) -> float:
    body = json.dumps({"login": login, "password": "wrong horse battery staple"})
    begin = time.perf_counter()
    line.request("POST", "/v1/auth/login", body, {"content-type": "application/json"})
    answer = line.getresponse()
    answer.read()
    assert answer.status == http.HTTPStatus.UNAUTHORIZED, answer.status
    return (time.perf_counter() - begin) * 1e3


_PARTS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"storm": storm, "raw": raw, "timing": timing}


if __name__ == "__main__":
    uvloop.run(partial(_PARTS[sys.argv[1]], **read_job())())
