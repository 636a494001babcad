"""Acks wait a moment for company, and never so long that a lane stands still."""

import asyncio

from libs.amqp import Delivery
from libs.amqp.acks import Acks
from libs.amqp.outbox import Outbox
from libs.messaging.rabbitmq.ack_heap import AckHeap


def deliveries(count: int) -> list[Delivery]:
    acks = Acks(1, Outbox(lambda: None, lambda: None))
    return [Delivery(tag, 0, b"\x00\x00", 0, b"", b"", acks) for tag in range(1, count + 1)]


def settled(found: list[Delivery]) -> list[bool]:
    return [delivery.settled for delivery in found]


class TestAckHeap:
    async def test_a_quarter_of_the_slots_is_acked_at_once(self) -> None:
        heap, found = AckHeap(slots=8), deliveries(3)

        heap.add(found[0])
        before = settled(found)
        heap.add(found[1])
        heap.add(found[2])

        assert before == [False, False, False]
        assert settled(found) == [True, True, False]

    async def test_a_narrow_lane_never_waits(self) -> None:
        heap, [only] = AckHeap(slots=1), deliveries(1)

        heap.add(only)

        assert only.settled

    async def test_a_single_delivery_is_acked_soon(self) -> None:
        heap, [only] = AckHeap(slots=64), deliveries(1)

        heap.add(only)

        await asyncio.sleep(0.1)  # fifty times what it waits
        assert only.settled

    async def test_what_waits_is_acked_at_the_stop(self) -> None:
        heap, found = AckHeap(slots=64), deliveries(2)
        for delivery in found:
            heap.add(delivery)

        heap.flush()

        assert settled(found) == [True, True]
