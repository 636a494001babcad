"""Finding a broker that answers and lets us in."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from ssl import SSLContext, create_default_context

from libs.amqp.endpoint import Endpoint
from libs.amqp.errors import ConnectionFailed, ConnectionLost
from libs.amqp.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """How to reach a broker: where, under which name, and within which bounds (see `Connection.open`)."""

    endpoints: Sequence[Endpoint]
    name: str
    heartbeat: int
    timeout: float
    read_pause: float
    tls: SSLContext | None

    async def dial(self) -> Wire:
        """Connect to one of the endpoints, tried in random order so that clients spread over a cluster.

        Raises ConnectionFailed, which tells each endpoint's reason.
        """
        failures: list[str] = []
        cause: ConnectionFailed | None = None
        for endpoint in random.sample(self.endpoints, len(self.endpoints)):
            try:
                return await self._connect(Wire(endpoint, self.name, self.heartbeat, self.read_pause))
            except ConnectionFailed as error:
                cause = error
                failures.append(f"{endpoint}: {error}")
        raise ConnectionFailed("; ".join(failures)) from cause

    async def _connect(self, wire: Wire) -> Wire:
        """Connect and log in; when that fails nothing is left behind."""
        endpoint = wire.endpoint
        context = (self.tls or create_default_context()) if endpoint.tls else None
        try:
            async with asyncio.timeout(self.timeout):
                await wire.loop.create_connection(lambda: wire, endpoint.host, endpoint.port, ssl=context)
                await wire.opened
        except TimeoutError:
            raise ConnectionFailed(f"no answer within {self.timeout:g} s") from None
        except (OSError, UnicodeError) as error:  # the latter of a host name that is none
            raise ConnectionFailed(getattr(error, "strerror", None) or str(error)) from error
        finally:
            if not wire.protocol.is_open:
                wire.abort(ConnectionLost("the attempt to connect was given up"))
        return wire
