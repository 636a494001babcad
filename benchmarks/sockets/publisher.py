"""The service that publishes, as services do: over the bus, each event confirmed by the stream."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import uvloop
from pydantic import SecretStr

from benchmarks.process import obey, read_job
from benchmarks.sockets.terms import CHANNEL, TICK, Tick
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings


async def publish(*, url: str, channel: str = CHANNEL, text: int = 64) -> None:
    """Publish events with ``text`` characters of text when told to; answer with when (`time.perf_counter`).

    `sent` is when an event was handed to the bus, `confirmed` when the bus said that it is stored.
    """
    user = urlsplit(url).username or ""
    settings = BrokerSettings(url=SecretStr(url), trusted_callers=frozenset({user}))
    bus = await RabbitBus.open(settings, name="benchmark-publisher")

    async def one(number: int) -> tuple[float, float]:
        sent = time.perf_counter()
        await bus.publish(TICK, Tick(n=number, text="y" * text), channel=channel)
        return sent, time.perf_counter()

    async def burst(first: str, count: str) -> dict[str, Any]:
        """All at once."""
        numbers = range(int(first), int(first) + int(count))
        times = await asyncio.gather(*map(one, numbers))
        return {"sent": [sent for sent, _ in times], "confirmed": [confirmed for _, confirmed in times]}

    async def paced(first: str, count: str, interval: str) -> dict[str, Any]:
        """One every ``interval`` seconds."""
        begin = time.perf_counter()
        times = []
        for number in range(int(count)):
            await asyncio.sleep(begin + number * float(interval) - time.perf_counter())
            times.append(await one(int(first) + number))
        return {"sent": [sent for sent, _ in times], "confirmed": [confirmed for _, confirmed in times]}

    try:
        await obey({"burst": burst, "paced": paced})
    finally:
        await bus.close()


if __name__ == "__main__":
    uvloop.run(publish(**read_job()))
