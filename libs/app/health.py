"""Health: whether the process lives, and whether it can do its work now, naming what it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route


@dataclass(frozen=True, slots=True)
class Probe:
    """How a dependency is asked whether it answers now: ``check`` raises where it does not.

    Without an ``essential`` one the service cannot do its work; the others are only named.
    """

    check: Callable[[], Awaitable[None]]
    essential: bool = True


class Readiness(NamedTuple):
    """Whether the service can do its work, and what it lacks, by name."""

    ready: bool
    missing: list[str]


_log = structlog.get_logger(__name__)
_NO_STORE = {"Cache-Control": "no-store"}


class Health:
    """What a service says about itself.

    Between its start and its stop it is ready as long as every essential probe answers within ``probe_timeout`` seconds.
    """

    def __init__(self, *, probe_timeout: float = 2.0) -> None:
        self._probe_timeout = probe_timeout
        self._probes: dict[str, Probe] = {}
        self._lost: set[str] = set()
        self._phase = "starting"

    def add(self, probes: Mapping[str, Probe]) -> None:
        """Ask these too, under their names."""
        self._probes.update(probes)

    @property
    def has_started(self) -> bool:
        """Whether the start is over, also when the stop has begun since."""
        return self._phase != "starting"

    def started(self) -> None:
        """From now on readiness is what the probes say."""
        self._phase = ""

    def stopping(self) -> None:
        """From now on not ready, whatever the probes say."""
        self._phase = "stopping"

    async def readiness(self) -> Readiness:
        """Ask every probe, side by side."""
        if self._phase:
            return Readiness(ready=False, missing=[self._phase])
        names = list(self._probes)
        answers = await asyncio.gather(*(self._answers(name) for name in names))
        missing = [name for name, answered in zip(names, answers, strict=True) if not answered]
        return Readiness(not any(self._probes[name].essential for name in missing), missing)

    async def _answers(self, name: str) -> bool:
        try:
            async with asyncio.timeout(self._probe_timeout):
                await self._probes[name].check()
        except Exception as error:  # ruff: ignore[blind-except]  whatever a driver raises, it does not answer
            if name not in self._lost:
                _log.warning("dependency_lost", dependency=name, reason=str(error) or type(error).__name__)
            self._lost.add(name)
            return False
        if name in self._lost:
            _log.info("dependency_back", dependency=name)
        self._lost.discard(name)
        return True


def health_routes(health: Health) -> list[BaseRoute]:
    """``/healthz``: 200 while the process lives; ``/readyz``: 200, or 503 when it cannot work, naming what is missing."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def ready(_request: Request) -> Response:
        found = await health.readiness()
        status = "ready" if found.ready else "not ready"
        return JSONResponse(
            {"status": status, "missing": found.missing},
            HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE,
            headers=_NO_STORE,
        )

    return [Route("/healthz", live), Route("/readyz", ready)]


def operations_routes(health: Health) -> list[BaseRoute]:
    """The health routes, and ``/metrics`` in Prometheus' text format."""

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return [*health_routes(health), Route("/metrics", metrics)]
