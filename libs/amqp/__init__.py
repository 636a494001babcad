"""A client for AMQP 0-9-1 brokers (RabbitMQ), made for speed and for outliving what happens to a connection.

connection = await Connection.open([Endpoint.parse(url)], name="orders")
channel = await connection.channel(confirms=True)
queue = await channel.declare_queue(Queue(name="orders"))
await channel.publish_confirmed("", queue.name, b"...", Properties(delivery_mode=PERSISTENT), mandatory=True)

consumer = await channel.consume(queue, lambda delivery: delivery.ack(), prefetch=100)
await consumer.cancel()
await connection.close()
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
from libs.amqp.table import decode_table, encode_table, join_tables
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
    "join_tables",
]
