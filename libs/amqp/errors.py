"""What can go wrong between a program and its broker.

AmqpError
├── ConnectionFailed            no endpoint could be reached, or none let us in
├── ConnectionLost              the line went away; what was on its way may or may not have happened
│   ├── ConnectionClosed        the program itself has closed the connection or the channel
│   └── ChannelInterrupted      only the channel went away, through no fault of this publication
├── ChannelClosed               the broker refused an operation: reply code and text
│   ├── AccessRefused           403
│   ├── NotFound                404
│   ├── ResourceLocked          405
│   └── PreconditionFailed      406
├── Returned                    mandatory, but no queue was bound for it
├── Nacked                      the broker could not take the message: a full queue, a failed queue
├── Blocked                     the broker takes no publications now, or the send buffer is full
├── CallTimeout                 no answer in time; a late one is dropped
├── AlreadySettled              the delivery was acked, nacked, or never wanted an ack
├── MalformedMessage            properties or headers that cannot be decoded
└── ProtocolError               the peer does not speak AMQP 0-9-1
"""

from typing import Final, TypeVar


class AmqpError(Exception):
    """The root of everything this package raises on purpose."""


class ConnectionFailed(AmqpError):
    """No endpoint could be reached, or none let us in; the message names each with its reason."""


class ConnectionLost(AmqpError):
    """The connection went away; what was under way may or may not have happened."""


class ConnectionClosed(ConnectionLost):
    """The connection or the channel was closed by this program."""


class ChannelInterrupted(ConnectionLost):
    """The broker closed the channel for another reason before it confirmed this publication."""


class ChannelClosed(AmqpError):
    """The broker refused an operation and closed its channel (AMQP 0-9-1 section 1.5.2.5).

    `code` is the reply code, `text` the broker's own words. The channel is open again, with its consumers,
    by the time the error is raised.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code: Final = code
        self.text: Final = text


class AccessRefused(ChannelClosed):
    """The user may not do this (403)."""


class NotFound(ChannelClosed):
    """The queue or exchange does not exist, or its home node is down (404)."""

    @property
    def home_node_down(self) -> bool:
        """True where the queue exists on a node that is away: wait, never declare it anew."""
        return "home node" in self.text


class ResourceLocked(ChannelClosed):
    """The queue is exclusive to another connection (405)."""


class PreconditionFailed(ChannelClosed):
    """It exists with other arguments, or is still in use (406)."""


class Returned(AmqpError):
    """A mandatory publication that no queue was bound for (`basic.return`)."""

    def __init__(self, code: int, text: str, exchange: str, routing_key: str) -> None:
        super().__init__(f"{code} {text}: exchange {exchange!r}, routing key {routing_key!r}")
        self.code: Final = code
        self.text: Final = text
        self.exchange: Final = exchange
        self.routing_key: Final = routing_key


class Nacked(AmqpError):
    """The broker could not take responsibility for the message (`basic.nack`): a full or failed queue."""


class Blocked(AmqpError):
    """The broker takes no publications for now (a resource alarm), or the send buffer is full."""


class CallTimeout(AmqpError, TimeoutError):
    """The broker did not answer in time; its late answer will be dropped."""


class AlreadySettled(AmqpError):
    """The delivery was acked or nacked before, or its consumer takes no acks."""


class MalformedMessage(AmqpError, ValueError):
    """Properties or a field table that cannot be decoded."""


class ProtocolError(AmqpError):
    """The peer broke AMQP 0-9-1; `code` is the reply code that the connection is closed with."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code: Final = code


Error = TypeVar("Error", bound=ConnectionLost | Nacked)


def again(error: Error) -> Error:
    """The same error for another place that raises it: a traceback belongs to one."""
    return type(error)(*error.args)


_BY_CODE: Final[dict[int, type[ChannelClosed]]] = {
    403: AccessRefused,
    404: NotFound,
    405: ResourceLocked,
    406: PreconditionFailed,
}


def refusal(code: int, text: str) -> ChannelClosed:
    """The typed error for a reply code of `channel.close`."""
    return _BY_CODE.get(code, ChannelClosed)(code, text)
