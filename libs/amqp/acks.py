"""Which deliveries of a channel are settled, told to the broker in as few frames as possible.

RabbitMQ settles every unsettled delivery up to the tag of an ack that says `multiple`, and closes the
channel when that tag itself is not unsettled. So an ack may say `multiple` only for a tag that this side
has acked and not told yet, below which nothing is still being worked on.
"""

from libs.amqp.frames import ack_frame, nack_frame, reject_frame
from libs.amqp.outgoing import Outgoing


class Acks:
    """The settled deliveries of one channel, from its opening to its end.

    After the end (`retire`) it swallows everything: the broker delivers those messages again by itself.
    """

    __slots__ = ("_ahead", "_asked", "_channel", "_joined", "_low", "_outgoing", "_single")

    def __init__(self, channel: int, outgoing: Outgoing) -> None:
        self._channel = channel
        self._outgoing: Outgoing | None = outgoing
        self._low = 0  # every delivery up to this tag is settled
        self._joined = 0  # the highest tag up to _low that is acked and not told
        self._ahead: set[int] = set()  # settled tags above _low
        self._single: list[int] = []  # tags above _low (once) that are acked and not told
        self._asked = False

    def ack(self, tag: int) -> None:
        """The delivery is done."""
        if self._outgoing is None:
            return
        if tag == self._low + 1:
            self._low = self._joined = tag
            if self._ahead:
                self._catch_up()
        else:
            self._ahead.add(tag)
            self._single.append(tag)
        if not self._asked:
            self._asked = True
            self._outgoing.defer(self)

    def nack(self, tag: int, *, requeue: bool) -> None:
        """The delivery failed: back to its queue, or dropped or dead-lettered."""
        if self._outgoing is not None:
            self._outgoing.write(nack_frame(self._channel, tag, requeue=requeue))
            self.skip(tag)

    def reject(self, tag: int, *, requeue: bool) -> None:
        """As `nack`, by the method that counts as a failed delivery on quorum queues from 4.3 on."""
        if self._outgoing is not None:
            self._outgoing.write(reject_frame(self._channel, tag, requeue=requeue))
            self.skip(tag)

    def skip(self, tag: int) -> None:
        """The delivery needs no ack."""
        if tag == self._low + 1:
            self._low = tag
            if self._ahead:
                self._catch_up()
        else:
            self._ahead.add(tag)

    def frames(self) -> bytes:
        """The acks to tell now."""
        self._asked = False
        joined, alone = self._joined, self._single
        self._joined, self._single = 0, []
        if alone:
            joined = max(joined, *(tag for tag in alone if tag <= self._low), 0)
            alone = [tag for tag in alone if tag > self._low]
        frames = [ack_frame(self._channel, tag, multiple=False) for tag in alone]
        if joined:
            frames.append(ack_frame(self._channel, joined, multiple=True))
        return b"".join(frames)

    def retire(self) -> None:
        """The channel is gone and its tags mean nothing any more."""
        self._outgoing = None
        self._joined, self._single = 0, []

    def _catch_up(self) -> None:
        ahead, low = self._ahead, self._low + 1
        while low in ahead:
            ahead.remove(low)
            low += 1
        self._low = low - 1
