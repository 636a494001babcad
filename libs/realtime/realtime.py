"""The realtime door of a gateway: what the application mounts, starts and stops."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute
from typing_extensions import override

from libs.messaging import AnyOperation, Bus, Handlers, Subscription
from libs.realtime import doors, server_api
from libs.realtime.codes import EXPIRED, SESSION_ENDED, SHUTDOWN
from libs.realtime.credentials import Credentials
from libs.realtime.disconnecting import Disconnecting
from libs.realtime.doorkeeper import ServiceDoorkeeper
from libs.realtime.emulation import Emulation
from libs.realtime.node import Node
from libs.realtime.operations import OperationRpc
from libs.realtime.ports import Log, Presence, Verify
from libs.realtime.settings import RealtimeSettings
from libs.realtime.tokens import SharedSecret


class Realtime(Subscription):
    """Relays the log's events to clients that speak the Centrifugo client protocol.

    ``verify`` checks access tokens; of ``operations``, those that are open to WebSocket may be called over ``bus``.
    ``loopback`` says that only this machine can connect, which lets the shared secret of connection tokens and the API key be short.
    The constructor does no I/O; it raises ValueError for one that is too short. On uvicorn, `RealtimeProtocol` as its WebSocket protocol makes connections cheap.
    """

    def __init__(
        self,
        settings: RealtimeSettings,
        *,
        log: Log,
        verify: Verify,
        bus: Bus,
        operations: Iterable[AnyOperation] = (),
        presence: Presence | None = None,
        loopback: bool = False,
    ) -> None:
        secret = settings.token_secret
        shared = SharedSecret(secret.get_secret_value(), lenient=loopback) if secret else None
        self._node = Node(
            settings,
            log=log,
            credentials=Credentials(verify, secret=shared, anonymous=settings.anonymous),
            rpc=OperationRpc(bus, operations),
            doorkeeper=ServiceDoorkeeper(bus),
            presence=presence,
        )
        self._disconnecting = Disconnecting(bus, self._node.registry)
        self._emulation = Emulation(bus, timeout=settings.command_timeout)
        self.routes: list[BaseRoute] = doors.routes(self._node, self._emulation)
        if settings.api_key is not None:
            key = server_api.ApiKey(settings.api_key.get_secret_value(), lenient=loopback)
            methods = server_api.Methods(self._node, self._disconnecting)
            self.routes += server_api.routes(methods, key, max_publication=settings.max_publication)

    @property
    def handlers(self) -> Handlers:
        """What this process answers to others of its kind; their queues must stand before the start."""
        return self._emulation.handlers

    async def start(self) -> Subscription:
        """Read the log up to now; afterwards clients get what they ask for."""
        await self._node.start()
        await self._emulation.start()
        await self._disconnecting.start()
        return self

    async def check(self) -> None:
        """Raises where the log is not being read."""
        await self._node.log.check()

    async def dismiss(self) -> None:
        """Send every client away with 3001, so that it goes elsewhere and resumes there."""
        self._node.dismiss(SHUTDOWN)

    @override
    async def stop(self) -> None:
        await self._emulation.stop()
        await self._disconnecting.stop()
        await self._node.stop()

    async def close(self) -> None:
        """`stop`, for a container."""
        await self.stop()

    def revoke(self, sid: str) -> int:
        """Close the connections of a session that was ended, at once; how many there were."""
        sessions = self._node.registry.of_sid(sid)
        for session in sessions:
            session.end(SESSION_ENDED)
        return len(sessions)

    def distrust(self, key: str) -> int:
        """Close the connections whose access tokens this key signed, so that they come back with others; how many."""
        sessions = [one for one in self._node.registry if one.who is not None and one.who.key == key]
        for session in sessions:
            session.end(EXPIRED)
        return len(sessions)
