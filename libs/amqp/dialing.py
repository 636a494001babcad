"""Finding a broker that answers and lets us in."""

import asyncio
import random
from collections.abc import Sequence
from ssl import SSLContext, create_default_context

from libs.amqp.endpoint import Endpoint
from libs.amqp.errors import ConnectionFailed, ConnectionLost
from libs.amqp.wire import Wire


async def dial(
    endpoints: Sequence[Endpoint],
    *,
    name: str,
    heartbeat: int,
    timeout: float,
    read_pause: float,
    tls: SSLContext | None,
) -> Wire:
    """Connect to one of the endpoints, tried in random order so that clients spread over a cluster.

    `timeout`, in seconds, bounds each attempt. Raises ConnectionFailed, which tells each endpoint's reason.
    """
    failures: list[str] = []
    cause: ConnectionFailed | None = None
    for endpoint in random.sample(endpoints, len(endpoints)):
        try:
            return await _dial(Wire(endpoint, name, heartbeat, read_pause), timeout, tls)
        except ConnectionFailed as error:
            cause = error
            failures.append(f"{endpoint}: {error}")
    raise ConnectionFailed("; ".join(failures)) from cause


async def _dial(wire: Wire, timeout: float, tls: SSLContext | None) -> Wire:
    """Connect and log in; when that fails nothing is left behind."""
    endpoint = wire.endpoint
    context = (tls or create_default_context()) if endpoint.tls else None
    try:
        async with asyncio.timeout(timeout):
            await wire.loop.create_connection(lambda: wire, endpoint.host, endpoint.port, ssl=context)
            await wire.opened
    except TimeoutError:
        raise ConnectionFailed(f"no answer within {timeout:g} s") from None
    except OSError as error:
        raise ConnectionFailed(error.strerror or str(error)) from error
    finally:
        if not wire.protocol.is_open:
            wire.abort(ConnectionLost("the attempt to connect was given up"))
    return wire
