"""A method and the wait for its answer."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

from libs.amqp.calls import Resolve
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.errors import AmqpError, CallTimeout
from libs.amqp.methods import Method

Answer = TypeVar("Answer", bound=Method)


async def request(
    channel: ChannelProtocol, method: type[Method], answer: type[Answer], *, timeout: float, **arguments: Any
) -> Answer:
    """Send a method and wait for its answer, `timeout` seconds at most.

    Raises ChannelClosed if the broker refuses it, ConnectionLost, CallTimeout. A caller that stops waiting
    changes nothing for anyone else: its answer is dropped when it comes.
    """
    reply = await answered(
        lambda resolve: channel.call(method, answer, resolve, **arguments), method.name, timeout=timeout
    )
    return cast("Answer", reply)


async def answered(
    send: Callable[[Resolve], None],
    name: str,
    *,
    timeout: float | None,
    late: Callable[[], None] | None = None,
) -> Method:
    """Wait for what `send` asks for; `late` is called if its answer comes after the wait has ended.

    Without a `timeout` the wait ends with the connection at the latest.
    """
    future: asyncio.Future[Method] = asyncio.get_running_loop().create_future()

    def resolve(method: Method | None, error: AmqpError | None) -> None:
        if not future.done():
            if error is not None:
                future.set_exception(error)
            elif method is not None:
                future.set_result(method)
        elif error is None and late is not None:
            late()

    send(resolve)
    try:
        async with asyncio.timeout(timeout):
            return await future
    except (TimeoutError, asyncio.CancelledError) as given_up:
        if late is not None and not future.cancelled() and future.exception() is None:
            late()  # the answer and the end of the wait came in the same turn
        if isinstance(given_up, TimeoutError):
            raise CallTimeout(f"no answer to {name} within {timeout:g} s") from None
        raise
