"""A stop goes its way through a broker that answers nothing any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.messaging import ANONYMOUS, SERVICES, Caller, Empty, Event, Handlers, Lane, Listeners, Operation
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import heard, served
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import Vhost
from tests.integration.messaging.conftest import OpenBus

WAIT = Operation("auth.wait", Empty, Empty, access=SERVICES)
WAIT_LONGER = Operation("auth.wait_longer", Empty, Empty, access=SERVICES, lane="slow")
TOLD = Event("auth.told", Empty)


class Work:
    """What runs when the stop comes, and how it ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.ends: list[str] = []

    async def do(self, name: str) -> Empty:
        self.begun.release()
        try:
            await self.gate.wait()
            self.ends.append(f"{name} finished")
        except asyncio.CancelledError:
            self.ends.append(f"{name} stopped")
            raise
        return Empty()

    async def wait(self, request: Empty, caller: Caller) -> Empty:
        return await self.do("call")

    async def wait_longer(self, request: Empty, caller: Caller) -> Empty:
        return await self.do("slow call")

    async def told(self, payload: Empty) -> None:
        await self.do("event")

    @property
    def handlers(self) -> Handlers:
        table = Handlers("auth", lanes={"slow": Lane()})
        table.on(WAIT, self.wait)
        table.on(WAIT_LONGER, self.wait_longer)
        return table

    @property
    def listeners(self) -> Listeners:
        table = Listeners("auth")
        table.on(TOLD, self.told)
        return table


@pytest.fixture
async def proxy(vhost: Vhost) -> AsyncIterator[Proxy]:
    async with Proxy.to(vhost.url_for("auth_svc")) as proxy:
        yield proxy


async def busy(proxy: Proxy, vhost: Vhost, open_bus: OpenBus, work: Work, drain_timeout: float) -> RabbitBus:
    """A bus behind the proxy with two calls and an event under way, whose broker then falls silent."""
    url = proxy.url(vhost.url_for("auth_svc"))
    settings = BrokerSettings.model_validate({"url": url, "drain_timeout": drain_timeout})
    bus = await RabbitBus.open(settings, name="auth_svc")
    await bus.declare(served(work.handlers) + heard(work.listeners))
    await bus.serve(work.handlers)
    await bus.subscribe(work.listeners)
    await bus.publish(TOLD, Empty(), mandatory=True)
    gateway = await open_bus("gateway")
    calls = [asyncio.create_task(gateway.forward(each, b"{}", ANONYMOUS)) for each in (WAIT, WAIT_LONGER)]
    async with asyncio.timeout(30):
        for _ in range(3):
            await work.begun.acquire()
    for call in calls:
        call.cancel()
    proxy.swallow = True
    return bus


async def test_what_runs_is_finished(proxy: Proxy, vhost: Vhost, open_bus: OpenBus) -> None:
    work = Work()
    bus = await busy(proxy, vhost, open_bus, work, drain_timeout=4)

    async with asyncio.timeout(60):
        draining = asyncio.create_task(bus.drain())
        await asyncio.sleep(0.1)
        work.gate.set()
        await draining
        await bus.close()

    assert sorted(work.ends) == ["call finished", "event finished", "slow call finished"]


async def test_what_does_not_end_is_stopped_when_the_time_is_up(
    proxy: Proxy, vhost: Vhost, open_bus: OpenBus
) -> None:
    work = Work()
    bus = await busy(proxy, vhost, open_bus, work, drain_timeout=0.5)

    async with asyncio.timeout(60):
        await bus.drain()

    assert sorted(work.ends) == ["call stopped", "event stopped", "slow call stopped"]
    await bus.close()
