"""A client for AMQP 0-9-1 brokers (RabbitMQ), made for speed and for outliving what happens to a connection.

    connection = await Connection.open([Endpoint.parse(url), ...], name="orders")
    channel = await connection.channel(prefetch=100, confirms=True, window=1000)
    queue = await channel.declare_queue(Queue(name="orders"))

Publishing. `publish` never waits; it raises ConnectionLost or Blocked where it cannot send now, and `ready` waits
until it can. The outcome of a publication is asked for in one of three ways, on a channel with confirms:

    await channel.publish_confirmed("", queue.name, body, properties, mandatory=True, timeout=5)
    confirmation = channel.submit("", queue.name, body)             # a future, to be awaited now or later
    channel.publish("", queue.name, body, on_confirm=callback)      # callback(None), or callback(error)

It fails with Returned (no queue is bound), Nacked (the queue is full), ConnectionLost (nobody knows) or the broker's
typed refusal (NotFound, AccessRefused, PreconditionFailed). A `Publisher` has all that is constant encoded once:

    publisher = channel.publisher("orders", "order.placed", Properties(content_type="application/json"))
    await channel.ready()
    publisher.publish(body, message_id=..., correlation_id=..., expiration=..., headers=...)

Consuming. The callback is called with each Delivery as it is read from the socket, and must not block; the delivery
is settled by `ack`, `nack` or `reject`, then or later:

    consumer = await channel.consume(queue, callback, prefetch=50)
    await consumer.cancel()                                         # running work may still ack
    await connection.close()

Recovery. A connection that is lost comes back by itself, with exchanges, queues, bindings, consumers, prefetch and
confirm modes; `on_lost` and `on_restored` tell. A queue that the broker named comes back under a new name, which
`queue.name` and `on_renamed` tell. Arguments of a consumer may be a callable, asked at each restore, so that the
reader of a stream resumes at its own offset. A channel that the broker closes over one wrong call is open again when
that call raises its error, and nothing else on it fails but publications whose confirm went with it
(ChannelInterrupted). A call that times out or is cancelled disturbs nothing.

Inside, from the bytes up: `table`, `properties`, `methods` and `frames` are the codec; `reader` cuts the stream;
`calls`, `confirms`, `acks` and `outgoing` are what a channel keeps track of; `channel_protocol` and
`connection_protocol` are the two state machines; none of these does I/O. `wire` is the socket, `dialing` finds a
broker, `request` waits for an answer, `recovery` and `mending` bring things back; `channel`, `publisher`,
`consumer`, `delivery` and `connection` are what a program holds.
"""

from libs.amqp.backoff import Backoff
from libs.amqp.channel import Channel
from libs.amqp.confirms import Confirmation, OnConfirm
from libs.amqp.connection import Connection
from libs.amqp.consumer import Consumer
from libs.amqp.delivery import Delivery
from libs.amqp.endpoint import Endpoint
from libs.amqp.errors import (
    AccessRefused,
    AlreadySettled,
    AmqpError,
    Blocked,
    CallTimeout,
    ChannelClosed,
    ChannelInterrupted,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionLost,
    MalformedMessage,
    Nacked,
    NotFound,
    PreconditionFailed,
    ProtocolError,
    ResourceLocked,
    Returned,
)
from libs.amqp.properties import PERSISTENT, Properties
from libs.amqp.publisher import Publisher
from libs.amqp.table import decode_table, encode_table
from libs.amqp.topology import Binding, DeclaredQueue, Exchange, Queue

__all__ = [
    "PERSISTENT",
    "AccessRefused",
    "AlreadySettled",
    "AmqpError",
    "Backoff",
    "Binding",
    "Blocked",
    "CallTimeout",
    "Channel",
    "ChannelClosed",
    "ChannelInterrupted",
    "Confirmation",
    "Connection",
    "ConnectionClosed",
    "ConnectionFailed",
    "ConnectionLost",
    "Consumer",
    "DeclaredQueue",
    "Delivery",
    "Endpoint",
    "Exchange",
    "MalformedMessage",
    "Nacked",
    "NotFound",
    "OnConfirm",
    "PreconditionFailed",
    "Properties",
    "ProtocolError",
    "Publisher",
    "Queue",
    "ResourceLocked",
    "Returned",
    "decode_table",
    "encode_table",
]
