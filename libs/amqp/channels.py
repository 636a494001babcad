"""The channels of one connection, by number."""

from collections.abc import Iterator

from libs.amqp.channel import Channel
from libs.amqp.errors import AmqpError
from libs.amqp.subscription import Subscription


class Channels:
    """Those that a program has open. Number 1 is left to the connection itself."""

    def __init__(self) -> None:
        self._by_number: dict[int, Channel] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._by_number.values()))

    def add(self, channel: Channel) -> None:
        """A channel is being opened."""
        self._by_number[channel.number] = channel

    def remove(self, channel: Channel) -> None:
        """A channel is closed on both sides; its number is free."""
        self._by_number.pop(channel.number, None)

    def free_number(self, highest: int) -> int:
        """The lowest free number. Raises AmqpError where the broker allows no more."""
        for number in range(2, highest + 1):
            if number not in self._by_number:
                return number
        raise AmqpError(f"the broker allows {highest} channels on one connection")

    def is_consumed(self, queue: str) -> bool:
        """Whether any of their consumers reads a queue."""
        return any(subscription.queue == queue for subscription in self._wanted())

    def rename_queue(self, old: str, new: str) -> None:
        """Let consumers of a queue follow it to its new name."""
        for subscription in self._wanted():
            if subscription.queue == old:
                subscription.queue = new

    def changed(self) -> None:
        """Wake everyone who may go on now."""
        for channel in self:
            channel.gate.changed()

    def _wanted(self) -> Iterator[Subscription]:
        for channel in self:
            yield from channel.wanted
