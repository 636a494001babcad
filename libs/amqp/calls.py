"""Methods that wait for their answer.

RabbitMQ answers the methods of one channel in the order they were sent, but for `basic.consume` and
`basic.cancel`: the queue answers these, possibly after later methods, and their answers name the consumer. So an
answer belongs to the call that named its consumer, or else to the oldest call that names none. A caller that gives
up leaves its call here, and the answer, when it comes, is taken off by that call and by no other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from libs.amqp.errors import AmqpError, ChannelClosed, ConnectionLost, ProtocolError, again
from libs.amqp.methods import Method

Resolve = Callable[[Method | None, AmqpError | None], None]
"""Called once: with the answer, or with the error that came in its place."""

_MAX_REPLAYS: Final = 3


@dataclass(slots=True, eq=False)
class Call:
    """One method under way."""

    index: int
    """Class and method number of what was sent; the broker blames a call by it."""
    answer: type[Method]
    frame: bytes
    resolve: Resolve
    consumer: str | None = None
    """The consumer tag that the answer will name."""
    queue: str | None = None
    """The queue that the broker's text would name, for calls that are answered out of order."""
    restoring: bool = False
    """Sent by this side itself when it opened the channel; made anew, not sent again, when it reopens it."""
    replays: int = 0


class Calls:
    """The calls of one channel that are not answered yet, oldest first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Call] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, call: Call) -> None:
        """The call has been sent."""
        self._waiting.append(call)

    def answered(self, method: Method) -> None:
        """Hand an answer to its call. Raises ProtocolError where there is none."""
        consumer = getattr(method, "consumer_tag", None)
        call = next((call for call in self._waiting if call.consumer == consumer), None)
        if call is None or not isinstance(method, call.answer):
            raise ProtocolError(503, f"{method.name} answers nothing that was asked")
        self._waiting.remove(call)
        call.resolve(method, None)

    def blamed(self, index: int, error: ChannelClosed) -> Call | None:
        """Take off the call that a `channel.close` speaks of, if there is one."""
        suspects = [call for call in self._waiting if call.index == index]
        named = [call for call in suspects if call.queue is not None and f"'{call.queue}'" in error.text]
        for call in (named or suspects)[:1]:
            self._waiting.remove(call)
            return call
        return None

    def take(self) -> Iterator[Call]:
        """Take off all of them, oldest first."""
        waiting, self._waiting = self._waiting, []
        return iter(waiting)

    def replayable(self, error: ChannelClosed, *, explained: bool) -> Iterator[Call]:
        """Take off those to send again on the reopened channel.

        Where nothing explains why the channel was closed, what was only restored, or sent again too often,
        fails: the channel must not go on closing and opening for ever.
        """
        for call in self.take():
            call.replays += 1
            if not explained and (call.restoring or call.replays > _MAX_REPLAYS):
                call.resolve(None, error)
            elif not call.restoring:
                yield call

    def fail(self, error: ConnectionLost) -> None:
        """End all of them."""
        for call in self.take():
            call.resolve(None, again(error))


def nothing(_: Method | None, __: AmqpError | None) -> None:
    """What to do with an answer that nobody waits for."""
