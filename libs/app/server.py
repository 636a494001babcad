"""The server of a service: uvicorn under the service's own signals, lifespan and stop order.

A stop runs: not ready, no new connections, long-lived clients sent away, running requests finished, then the lifespan
backwards (`libs.app.bootstrap`). uvicorn by itself would close WebSockets with 1012 before the application hears of it.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn

import structlog
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.types import ASGIApp
from typing_extensions import override

from libs.app.bootstrap import service_lifespan
from libs.app.bounded_http import BoundedHttp
from libs.app.errors import SettingsInvalid, StartFailed
from libs.app.health import Probe, operations_routes
from libs.app.listening import allow_open_files, bind
from libs.app.logging import configure_logging
from libs.app.service import ServiceApp

_log = structlog.get_logger(__name__)
_OPERATIONS_STOP = 1  # seconds; nobody waits for a scrape
_LARGEST_FRAME = 65_536  # bytes of one WebSocket message; what the client protocol sends is smaller
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ServiceServer(uvicorn.Server):
    """One listening port; ``before_stop`` is awaited on a stop, between the last accept and the last answer."""

    def __init__(
        self, config: uvicorn.Config, *, before_stop: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def check(self) -> None:
        """The readiness probe: raises until the port is open."""
        if not self.started:
            raise ConnectionError("the port is not open yet")

    @asynccontextmanager
    async def serving(self, sock: socket.socket) -> AsyncGenerator[None]:
        """Listen on ``sock`` for the length of the block."""
        if not self.config.loaded:
            self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[sock])
        ticking = asyncio.create_task(self.main_loop())
        try:
            yield
        finally:
            self.should_exit = True
            await self.shutdown(sockets=[sock])
            await ticking

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if self._before_stop is not None:
            await self._before_stop()
        await super().shutdown(sockets)
        if self.server_state.tasks:  # those that outlived the bound are cancelled by now, but not awaited
            await asyncio.wait(self.server_state.tasks, timeout=1)


def run_service(
    create_app: Callable[[], ServiceApp[Any, Any]], *, websockets: type[asyncio.Protocol] | None = None
) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then stop in order and exit with 0; a second signal ends the process at once.

    ``websockets`` is the uvicorn protocol that speaks with WebSocket clients; without it there are none.
    A service that cannot start exits with 1 and says why in one line, or in one line per wrong setting.
    """
    try:
        app = create_app()
    except SettingsInvalid as error:
        sys.exit("\n".join(error.lines))  # to standard error, with status 1
    configure_logging(app.settings.log, service=app.name)
    allow_open_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_run(app, websockets)))


async def _run(app: ServiceApp[Any, Any], websockets: type[asyncio.Protocol] | None) -> int:
    stop = _stop_signal()
    serving = asyncio.create_task(_serve(app, stop, websockets))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set() and not app.health.has_started:
        serving.cancel()  # a start may wait long for a dependency; nobody is served yet
    try:
        await serving
    except StartFailed as error:
        debugging = app.settings.log.level == "debug"
        _log.critical(str(error), exc_info=error if debugging else None)
        return 1
    except asyncio.CancelledError:
        _log.info("start_interrupted")
    _log.info("service_stopped")
    return 0


async def _serve(
    app: ServiceApp[Any, Any], stop: asyncio.Event, websockets: type[asyncio.Protocol] | None
) -> None:
    """Open everything, wait for ``stop``, and close everything in reverse."""
    http = app.settings.http
    operations = app.settings.operations
    async with AsyncExitStack() as opened:
        opened.callback(app.tally.flush)
        door = opened.enter_context(bind(operations.host, operations.port))
        public = (
            opened.enter_context(bind(http.host, http.port, reuse_port=http.reuse_port)) if http else None
        )
        inside = app if http is None else Starlette(routes=operations_routes(app.health))
        await opened.enter_async_context(_server(inside, _OPERATIONS_STOP).serving(door))
        await opened.enter_async_context(service_lifespan(app))
        if http is not None and public is not None:
            server = _server(
                app.entrance,
                http.stop_timeout,
                keep_alive=http.keep_alive,
                websockets=websockets,
                before_stop=app.dismiss_clients,
            )
            app.health.add({"http": Probe(server.check)})
            await opened.enter_async_context(server.serving(public))
        # What stands now stands until the end: collections need not look at it again.
        gc.collect()
        gc.freeze()
        _log.info("listening", operations=_address(door), public=_address(public))
        await stop.wait()
        app.health.stopping()


def _server(
    app: ASGIApp,
    stop_timeout: int,
    *,
    keep_alive: int = 5,
    websockets: type[asyncio.Protocol] | None = None,
    before_stop: Callable[[], Awaitable[None]] | None = None,
) -> ServiceServer:
    """A server whose signals, lifespan, access log and client addresses are the service's own."""
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=BoundedHttp,
        ws=websockets or "none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=stop_timeout,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        ws_max_size=_LARGEST_FRAME,
    )
    return ServiceServer(config, before_stop=before_stop)


def _stop_signal() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the next one has its default effect, whatever the process is doing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> None:
        stop.set()
        for one in _SIGNALS:
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)

    for one in _SIGNALS:
        loop.add_signal_handler(one, first)
    return stop


def _address(sock: socket.socket | None) -> str | None:
    if sock is None:
        return None
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"
