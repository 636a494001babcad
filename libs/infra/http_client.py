"""HTTP to other people's servers: answers bounded in time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx


class FetchFailed(Exception):
    """The server did not give a usable answer in time."""


class HttpClient:
    """Connections to other servers; it follows no redirect and reads no proxy from the environment."""

    def __init__(self, *, timeout: float, max_bytes: int) -> None:
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._client = httpx.AsyncClient(trust_env=False, headers={"user-agent": "Gatehouse"})

    async def get(self, url: str, *, headers: Mapping[str, str]) -> bytes:
        """The body of a 200, at most ``max_bytes`` once decoded, within ``timeout`` s in all; raises `FetchFailed`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._get(url, headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise FetchFailed(type(error).__name__) from error

    async def _get(self, url: str, headers: Mapping[str, str]) -> bytes:
        async with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise FetchFailed(f"status {answer.status_code}")
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > self._max_bytes:
                    raise FetchFailed(f"more than {self._max_bytes} bytes")
            return bytes(body)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
