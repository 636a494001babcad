"""The realtime door of a gateway: what the application mounts, starts and stops."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, WebSocketRoute
from typing_extensions import override

from libs.messaging import AnyOperation, Bus, Subscription
from libs.realtime.codes import SESSION_ENDED, SHUTDOWN
from libs.realtime.credentials import Credentials
from libs.realtime.door import WebSocketDoor
from libs.realtime.doorkeeper import ServiceDoorkeeper
from libs.realtime.node import Node
from libs.realtime.operations import OperationRpc
from libs.realtime.ports import Log, Presence, Verify
from libs.realtime.settings import RealtimeSettings
from libs.realtime.tokens import SharedSecret


class Realtime(Subscription):
    """Relays the log's events to clients that speak the Centrifugo client protocol.

    ``verify`` checks access tokens; of ``operations``, those that are open to WebSocket may be called over ``bus``.
    ``loopback`` says that only this machine can connect, which lets the shared secret of connection tokens be short.
    The constructor does no I/O; it raises ValueError for a secret that is too short. On uvicorn, `RealtimeProtocol` as its WebSocket protocol makes connections cheap.
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
        self.routes: list[BaseRoute] = [WebSocketRoute("/connection/websocket", WebSocketDoor(self._node))]

    async def start(self) -> Subscription:
        """Read the log up to now; afterwards clients get what they ask for."""
        await self._node.start()
        return self

    async def check(self) -> None:
        """Raises where the log is not being read."""
        await self._node.log.check()

    async def dismiss(self) -> None:
        """Send every client away with 3001, so that it goes elsewhere and resumes there."""
        self._node.dismiss(SHUTDOWN)

    @override
    async def stop(self) -> None:
        await self._node.stop()

    async def close(self) -> None:
        """`stop`, for a container."""
        await self._node.stop()

    def revoke(self, sid: str) -> int:
        """Close the connections of a session that was ended, at once; how many there were."""
        sessions = self._node.registry.of_sid(sid)
        for session in sessions:
            session.end(SESSION_ENDED)
        return len(sessions)
