"""The rounds of the confirmed messages: every contestant in turn publishes all of them, then consumes all of them."""

from __future__ import annotations

import aio_pika

from benchmarks.command import progress
from benchmarks.confirmed.terms import MESSAGES, QUEUE, QUEUE_TYPE
from benchmarks.process import child, cores
from benchmarks.report import Fields, medians, rounded

ROUNDS = 3
CONTESTANTS = ("aio_pika", "gatehouse")

_FIGURES = ("messages_per_s", "published_per_s", "consumed_per_s", "publisher_cpu_us", "consumer_cpu_us")


async def measure(url: str) -> dict[str, Fields]:
    """Each contestant's figures: medians of the rounds, every round's rate, and what was counted."""
    rounds: dict[str, list[Fields]] = {name: [] for name in CONTESTANTS}
    for number in range(ROUNDS):
        for name in CONTESTANTS:
            found = await _round(name, url)
            rounds[name].append(found)
            rate = found["messages_per_s"]
            progress(
                f"confirmed {number + 1}/{ROUNDS} {name}: {rate:,.0f} messages/s published, then consumed"
            )
    return {name: _summary(found) for name, found in rounds.items()}


async def _round(name: str, url: str) -> Fields:
    _, core = cores()
    await _empty_queue(url)
    async with child("benchmarks.confirmed", name, "publisher", core=core, job={"url": url}) as publisher:
        published = await publisher.order("go")
    async with child("benchmarks.confirmed", name, "consumer", core=core, job={"url": url}) as consumer:
        consumed = await consumer.order("go")
    return {
        "messages_per_s": MESSAGES / (published["seconds"] + consumed["seconds"]),
        "published_per_s": MESSAGES / published["seconds"],
        "consumed_per_s": MESSAGES / consumed["seconds"],
        "publisher_cpu_us": published["cpu"] / MESSAGES * 1e6,
        "consumer_cpu_us": consumed["cpu"] / MESSAGES * 1e6,
        "unconfirmed": MESSAGES - published["confirmed"],
        "missing": consumed["missing"],
        "doubled": consumed["doubled"],
        "unacked": await _left(url),
    }


async def _empty_queue(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(QUEUE)
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": QUEUE_TYPE})


async def _left(url: str) -> int:
    """How many messages the queue still holds once the consumer has gone: those whose acks did not arrive."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(QUEUE, passive=True)
        return queue.declaration_result.message_count or 0


def _summary(rounds: list[Fields]) -> Fields:
    return {
        **medians(rounds, _FIGURES),
        "rounds_messages_per_s": [rounded(one["messages_per_s"]) for one in rounds],
        "messages": MESSAGES * len(rounds),
        **{
            name: sum(one[name] for one in rounds)
            for name in ("unconfirmed", "missing", "doubled", "unacked")
        },
    }
