"""The task that brings a connection back outlives whatever happens in it."""

from collections.abc import Sequence

import pytest
from typing_extensions import override

from libs.amqp import Connection, Endpoint, NotFound, Queue
from tests.fixtures.proxy import Proxy
from tests.integration.amqp.conftest import FAST, eventually


class Moody(Sequence[Endpoint]):
    """Endpoints that fail in a way that nobody has thought of."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = endpoints
        self.failures = 0

    @override
    def __len__(self) -> int:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("on purpose")
        return len(self._endpoints)

    @override
    def __getitem__(self, index: int) -> Endpoint:  # type: ignore[override]  # nobody takes a slice
        return self._endpoints[index]


async def test_a_failure_that_nobody_expected_ends_no_reconnecting(
    proxy: Proxy, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoints = Moody(Endpoint.parse(proxy.url(amqp_url)))
    connection = await Connection.open(endpoints, name="test", timeout=30, backoff=FAST)

    endpoints.failures = 2
    proxy.cut()
    await eventually(lambda: not connection.is_open)
    await connection.wait_open(30)

    assert caplog.text.count("RuntimeError: on purpose") == 2
    await connection.close()


async def test_what_cannot_even_be_encoded_stops_nothing_else_and_comes_once_it_can(
    proxied: Connection, proxy: Proxy
) -> None:
    channel = await proxied.channel()
    spoiled: dict[str, object] = {}
    await channel.declare_queue(Queue(name="spoiled", exclusive=True, durable=False, arguments=spoiled))
    await channel.declare_queue(Queue(name="other", exclusive=True, durable=False))

    spoiled["x-expires"] = object()
    proxy.cut()
    await eventually(lambda: not proxied.is_open)
    await proxied.wait_open(30)
    await channel.declare_queue(Queue(name="other"), passive=True)
    del spoiled["x-expires"]

    async def is_back() -> bool:
        try:
            await channel.declare_queue(Queue(name="spoiled"), passive=True)
        except NotFound:
            return False
        return True

    await eventually(is_back)
