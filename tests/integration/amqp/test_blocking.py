import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.amqp import Blocked, Connection, Delivery, Queue
from libs.local import RabbitMQ
from tests.integration.amqp.conftest import Connect, eventually


@pytest.fixture
async def alarm(broker: RabbitMQ) -> AsyncIterator["Alarm"]:
    """The broker's memory alarm; it is off again after the test."""
    alarm = Alarm(broker)
    yield alarm
    await alarm.off()


class Alarm:
    def __init__(self, broker: RabbitMQ) -> None:
        self._broker = broker

    async def on(self) -> None:
        await self._set("0.000001")

    async def off(self) -> None:
        await self._set("0.4")
        # Answered by who tells the connections, so that all who stand now have been told.
        await asyncio.to_thread(self._broker.evaluate, "[] = rabbit_alarm:get_alarms().")

    async def _set(self, share: str) -> None:
        """Say from which share of the memory on there is an alarm."""
        change = f"vm_memory_monitor:set_vm_memory_high_watermark({share})."
        await asyncio.to_thread(self._broker.evaluate, change)


async def _blocked(connection: Connection) -> None:
    """The broker tells a connection that it is blocked when it publishes during an alarm."""
    channel = await connection.channel()
    channel.publish("", "nobody", b"body")
    await eventually(lambda: connection.blocked is not None)


def _reason(connection: Connection) -> str | None:
    return connection.blocked


async def test_an_alarm_is_visible_and_holds_publishers_back_until_it_ends(
    connection: Connection, alarm: Alarm
) -> None:
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    await alarm.on()
    await _blocked(connection)

    assert _reason(connection) == "low on memory"
    with pytest.raises(Blocked, match="low on memory"):
        channel.publish("", queue.name, b"body")
    with pytest.raises(Blocked, match="low on memory"):
        await channel.ready(0.1)
    with pytest.raises(Blocked, match="low on memory"):
        await channel.publish_confirmed("", queue.name, b"body", timeout=0.1)
    held = asyncio.create_task(channel.publish_confirmed("", queue.name, b"held", timeout=30))
    await asyncio.sleep(0)
    await alarm.off()
    await held

    assert _reason(connection) is None
    await channel.publish_confirmed("", queue.name, b"body", mandatory=True)


async def test_consumers_on_their_own_connection_go_on(connect: Connect, alarm: Alarm) -> None:
    publishing, consuming = await connect(heartbeat=3), await connect()
    channel = await publishing.channel(confirms=True)
    queue = await channel.declare_queue(Queue(name="q"))
    for _ in range(3):
        await channel.publish_confirmed("", "q", b"body")
    await alarm.on()
    await _blocked(publishing)
    deliveries: list[Delivery] = []

    reader = await consuming.channel(prefetch=1)

    def take(delivery: Delivery) -> None:
        deliveries.append(delivery)
        delivery.ack()

    await reader.consume(queue, take)
    await eventually(lambda: len(deliveries) == 3)
    await asyncio.sleep(7)  # longer than the heartbeats of the blocked connection may be apart

    assert consuming.blocked is None
    assert publishing.is_open


async def test_a_connection_that_is_blocked_can_be_closed(connect: Connect, alarm: Alarm) -> None:
    connection = await connect()
    await alarm.on()
    await _blocked(connection)

    async with asyncio.timeout(30):
        await connection.close(0.5)

    assert not connection.is_open


async def test_a_full_send_buffer_makes_ready_wait_and_publish_refuse(connect: Connect, alarm: Alarm) -> None:
    """A broker that does not read any more has not always said that it is blocked."""
    connection = await connect()
    channel = await connection.channel(confirms=True, window=10**6)
    await alarm.on()
    body = b"x" * 1_000_000

    def publish_without_end() -> None:
        for _ in range(200):
            channel.publish("", "nobody", body)

    with pytest.raises(Blocked):
        publish_without_end()
    with pytest.raises(Blocked):
        await channel.ready(0.1)
