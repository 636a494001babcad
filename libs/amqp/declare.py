"""The methods that make and unmake exchanges, queues and bindings."""

from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.methods import ExchangeClass, QueueClass
from libs.amqp.request import request
from libs.amqp.topology import Binding, DeclaredQueue, Exchange, Queue


async def declare_exchange(
    channel: ChannelProtocol, exchange: Exchange, *, passive: bool, timeout: float
) -> None:
    """`exchange.declare`."""
    await request(
        channel,
        ExchangeClass.Declare,
        ExchangeClass.DeclareOk,
        timeout=timeout,
        exchange=exchange.name,
        exchange_type=exchange.type,
        passive=passive,
        durable=exchange.durable,
        auto_delete=exchange.auto_delete,
        internal=exchange.internal,
        arguments=exchange.arguments,
    )


async def declare_queue(
    channel: ChannelProtocol, queue: Queue, *, passive: bool, timeout: float
) -> DeclaredQueue:
    """`queue.declare`."""
    answer = await request(
        channel,
        QueueClass.Declare,
        QueueClass.DeclareOk,
        timeout=timeout,
        queue=queue.name,
        passive=passive,
        durable=queue.durable,
        exclusive=queue.exclusive,
        auto_delete=queue.auto_delete,
        arguments=queue.arguments,
    )
    return DeclaredQueue(queue, answer.queue or "", answer.message_count or 0, answer.consumer_count or 0)


async def bind(channel: ChannelProtocol, binding: Binding, *, timeout: float) -> None:
    """`queue.bind` or `exchange.bind`."""
    route = {"routing_key": binding.routing_key, "arguments": binding.arguments}
    if binding.to_exchange:
        await request(
            channel,
            ExchangeClass.Bind,
            ExchangeClass.BindOk,
            timeout=timeout,
            destination=binding.destination,
            source=binding.source,
            **route,
        )
    else:
        await request(
            channel,
            QueueClass.Bind,
            QueueClass.BindOk,
            timeout=timeout,
            queue=binding.destination,
            exchange=binding.source,
            **route,
        )


async def unbind(channel: ChannelProtocol, binding: Binding, *, timeout: float) -> None:
    """`queue.unbind` or `exchange.unbind`."""
    route = {"routing_key": binding.routing_key, "arguments": binding.arguments}
    if binding.to_exchange:
        await request(
            channel,
            ExchangeClass.Unbind,
            ExchangeClass.UnbindOk,
            timeout=timeout,
            destination=binding.destination,
            source=binding.source,
            **route,
        )
    else:
        await request(
            channel,
            QueueClass.Unbind,
            QueueClass.UnbindOk,
            timeout=timeout,
            queue=binding.destination,
            exchange=binding.source,
            **route,
        )
