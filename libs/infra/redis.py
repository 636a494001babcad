"""Redis: a client with bounded waits. Nothing in it is the only copy of anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError


def _redis_url(url: SecretStr) -> SecretStr:
    """Refuse what is no URL of Redis before anything connects, without repeating it."""
    try:
        parts = urlsplit(url.get_secret_value())
        numbered = parts.path.strip("/").isdecimal() or not parts.path.strip("/")
        usable = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0 and numbered
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must look like redis://user:password@host:port/number")
    return url


class RedisSettings(BaseModel):
    """How a service reaches Redis, and how long it waits there."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        validation_alias="REDIS_URL",
        description="`redis://user:password@host:port/number` or `rediss://`.",
    )
    timeout: float = Field(
        1.0,
        gt=0,
        le=30,
        validation_alias="REDIS_TIMEOUT",
        description="How long a connection and each answer is waited for (s).",
    )


_MOST_CONNECTIONS = 50  # of one process; who finds them all in use waits for one


class RedisAway(Exception):
    """Redis does not answer now."""


Script: TypeAlias = Callable[[Sequence[str], Sequence[str | int]], Awaitable[Any]]
"""Runs on the server, in one step, over keys and arguments; raises `RedisAway`."""


class RedisConnections:
    """The connections of one process to Redis."""

    def __init__(self, settings: RedisSettings) -> None:
        self._timeout = settings.timeout
        self.client = Redis.from_pool(
            BlockingConnectionPool.from_url(
                settings.url.get_secret_value(),
                max_connections=_MOST_CONNECTIONS,
                timeout=settings.timeout,
                socket_timeout=settings.timeout,
                socket_connect_timeout=settings.timeout,
                decode_responses=True,
            )
        )

    @classmethod
    async def open(cls, settings: RedisSettings) -> Self:
        """Connections that have reached the server once; raises `RedisAway`."""
        connections = cls(settings)
        try:
            await connections.check()
        except BaseException:
            await connections.close()
            raise
        return connections

    async def check(self) -> None:
        """Ask the server for a sign of life; raises `RedisAway`."""
        try:
            await self.client.ping()
        except (OSError, RedisError) as error:
            raise RedisAway(f"Redis does not answer: {type(error).__name__}") from error

    def script(self, text: str) -> Script:
        """A script in Lua, sent to the server once and then named by its digest."""
        registered = self.client.register_script(text)

        async def run(keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
            try:
                async with asyncio.timeout(self._timeout):  # over all tries that the client makes
                    return await registered(keys=list(keys), args=list(arguments))
            except (OSError, RedisError) as error:
                raise RedisAway(f"Redis does not answer: {type(error).__name__}") from error

        return run

    @asynccontextmanager
    async def together(self) -> AsyncGenerator[Pipeline]:
        """Commands that are sent together, at the end of the block, and are not one transaction; raises `RedisAway`."""
        try:
            async with asyncio.timeout(self._timeout), self.client.pipeline(transaction=False) as pipeline:
                yield pipeline
                await pipeline.execute()
        except (OSError, RedisError) as error:
            raise RedisAway(f"Redis does not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self.client.aclose()
