"""How many calls, and how many confirmed messages, go through RabbitMQ in a second, beside aio-pika and pika."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.command import run_alone
from benchmarks.confirmed import rounds as confirmed
from benchmarks.echo import contestants
from benchmarks.echo import rounds as echo
from benchmarks.report import Fields, at_least, circumstances
from libs.local import LocalServices, RabbitMQ

_FAULTS = ("mismatched", "served_beside_calls", "unconfirmed", "missing", "doubled", "unacked")


def run(local: LocalServices) -> Fields:
    """The ratios and every figure that they come from."""
    local.start([local.rabbitmq])
    return asyncio.run(_measure(local.rabbitmq))


async def _measure(broker: RabbitMQ) -> Fields:
    result = circumstances("aio-pika", "aiormq", "pika", "uvloop", "pydantic")
    result["versions"]["rabbitmq"] = broker.ctl("version").strip()
    calls = await echo.measure(broker)
    messages = await confirmed.measure(broker.url)
    figures = [*calls.values(), *messages.values()]
    faults = sum(abs(one.get(name, 0)) for one in figures for name in _FAULTS)
    return {**_ratios(calls, messages), "faults": faults, "echo": calls, "confirmed": messages, **result}


def _ratios(calls: dict[str, Fields], messages: dict[str, Fields]) -> Fields:
    rate = {name: found["calls_per_s"] for name, found in calls.items()}
    client, bus = rate[contestants.CLIENT.name], rate[contestants.BUS.name]
    return {
        "client_vs_aio_pika": at_least(client, rate[contestants.AIO_PIKA.name]),
        "client_vs_pika": at_least(client, rate[contestants.PIKA.name]),
        "bus_vs_aio_pika": at_least(bus, rate[contestants.AIO_PIKA_AS_SHIPPED.name]),
        "bus_vs_aio_pika_requests_confirmed": at_least(
            bus, rate[contestants.AIO_PIKA_REQUESTS_CONFIRMED.name]
        ),
        "confirmed_vs_aio_pika": at_least(
            *(messages[name]["messages_per_s"] for name in ("gatehouse", "aio_pika"))
        ),
    }


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
