"""A service with everything that a service may have, and nothing that needs a broker; its acts are lines of output."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from libs.app import (
    Application,
    EdgeSettings,
    EnvPrefix,
    HttpSettings,
    OperationsSettings,
    ServiceApp,
    ServiceSettings,
    create_service_app,
    exchange_of,
    run_service,
)
from libs.containers.container import Container, opening
from libs.messaging.memory import MemoryBus


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class SmallSettings(ServiceSettings):
    """Both ports, free ones."""

    operations: Annotated[OperationsSettings, EnvPrefix("SMALL_")] = OperationsSettings(port=0)
    http: Annotated[HttpSettings, EnvPrefix("SMALL_")] = HttpSettings(port=0, stop_timeout=1)
    edge: Annotated[EdgeSettings, EnvPrefix("SMALL_")] = EdgeSettings()


class Bus(MemoryBus):
    """Says when it is closed."""

    async def check(self) -> None:
        """It is there."""

    @override
    async def close(self) -> None:
        await super().close()
        say("bus closed")


class Quick:
    """Answers `/front` in one write, and lets everything else through."""

    def before(self, app: Application) -> ASGIApp:
        """The application behind it."""

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != "/front":
                await app(scope, receive, send)
                return
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
            await exchange_of(scope).answer(200, headers, b"front")

        return front


class Listener:
    """Says when it stops."""

    async def stop(self) -> None:
        say("listener stopped")


@dataclass(frozen=True, kw_only=True)
class SmallContainer(Container):
    """A bus."""

    @classmethod
    async def create(cls, _settings: SmallSettings) -> Self:
        """Open it."""

        async def open_bus() -> Bus:
            return Bus()

        async with opening() as opened:
            bus = await opened.open("bus", open_bus, probe=Bus.check)
            opened.dismissing("clients", cls.dismiss)
            return cls(opened=opened, bus=bus)

    @staticmethod
    async def dismiss() -> None:
        """What realtime does with its sockets."""
        say("clients dismissed")

    async def declare(self) -> None:
        """Nothing stands anywhere."""
        if "--fail" in sys.argv:
            raise ConnectionError("the exchange is square")
        if "--hang" in sys.argv:
            say("hanging")
            await asyncio.Event().wait()

    async def listen(self) -> Listener:
        """Hear nothing."""
        return Listener()

    def front(self) -> Quick:
        """What stands before all routes."""
        return Quick()

    def routes(self) -> APIRouter:
        """A quick answer, a slow one, an endless one, and one that fails."""
        router = APIRouter()

        @router.get("/quick")
        async def quick() -> str:
            return "quick"

        @router.get("/slow")
        async def slow() -> str:
            say("slow started")
            await asyncio.sleep(0.5)
            return "slow"

        @router.get("/endless")
        async def endless() -> StreamingResponse:
            async def forever() -> AsyncIterator[bytes]:
                say("endless started")
                try:
                    while True:
                        yield b"."
                        await asyncio.sleep(0.05)
                finally:
                    say("endless ended")

            return StreamingResponse(forever())

        @router.post("/echo")
        async def echo(text: dict[str, str]) -> dict[str, str]:
            return text

        @router.get("/broken")
        async def broken() -> None:
            raise RuntimeError("hunter2")

        return router


def create_app() -> ServiceApp[SmallSettings, SmallContainer]:
    """The whole service."""
    return create_service_app(
        name="small",
        settings_class=SmallSettings,
        container_factory=SmallContainer.create,
        topology_declarator=SmallContainer.declare,
        listener_factories=[SmallContainer.listen],
        routers=[SmallContainer.front, SmallContainer.routes],
    )


if __name__ == "__main__":
    run_service(create_app)
