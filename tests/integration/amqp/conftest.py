"""Connections of this client, and of others, to a vhost of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from libs.amqp import Backoff, Connection, Endpoint
from tests.fixtures.proxy import Proxy

Connect = Callable[..., Awaitable[Connection]]

FAST = Backoff(initial=0.02, maximum=0.2)


@pytest.fixture
async def connect(amqp_url: str) -> AsyncIterator[Connect]:
    """Opens connections, to the test's vhost if nothing else is said, and closes them after the test."""
    async with AsyncExitStack() as stack:

        async def open_connection(*urls: str, **options: object) -> Connection:
            endpoints = [Endpoint.parse(url) for url in urls or (amqp_url,)]
            settings = {"name": "test", "timeout": 30.0, "backoff": FAST} | options
            connection = await Connection.open(endpoints, **settings)  # type: ignore[arg-type]  # options of a test
            stack.push_async_callback(connection.close)
            return connection

        yield open_connection


@pytest.fixture
async def connection(connect: Connect) -> Connection:
    """A connection straight to the broker."""
    return await connect()


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[Proxy]:
    """A proxy to the broker."""
    async with Proxy.to(amqp_url) as proxy:
        yield proxy


@pytest.fixture
async def proxied(connect: Connect, proxy: Proxy, amqp_url: str) -> Connection:
    """A connection through the proxy."""
    return await connect(proxy.url(amqp_url))


async def eventually(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.005)
