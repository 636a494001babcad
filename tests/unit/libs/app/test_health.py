from __future__ import annotations

import asyncio
import json

from starlette.applications import Starlette

from libs.app import Health, Probe
from libs.app.health import health_routes, operations_routes
from tests.unit.libs.app.asgi import ask


async def answers() -> None:
    """A dependency that is there."""


async def is_away() -> None:
    raise ConnectionError


async def hangs() -> None:
    await asyncio.Event().wait()


def started(**probes: Probe) -> Health:
    health = Health(probe_timeout=0.02)
    health.add(probes)
    health.started()
    return health


async def test_ready_while_every_probe_answers() -> None:
    assert await started(one=Probe(answers)).readiness() == (True, [])


async def test_not_ready_while_an_essential_probe_does_not_answer() -> None:
    found = await started(here=Probe(answers), gone=Probe(is_away), stuck=Probe(hangs)).readiness()
    assert found == (False, ["gone", "stuck"])


async def test_ready_but_named_while_another_probe_does_not_answer() -> None:
    assert await started(extra=Probe(is_away, essential=False)).readiness() == (True, ["extra"])


async def test_liveness_does_not_depend_on_anything() -> None:
    app = Starlette(routes=health_routes(Health()))
    assert (await ask(app, path="/healthz")).status == 200


async def test_readiness_over_http_names_what_is_missing() -> None:
    app = Starlette(routes=health_routes(started(redis=Probe(is_away))))
    answer = await ask(app, path="/readyz")
    assert answer.status == 503
    assert json.loads(answer.body) == {"status": "not ready", "missing": ["redis"]}


async def test_metrics_are_on_the_operations_port_only() -> None:
    health = started()
    assert (await ask(Starlette(routes=operations_routes(health)), path="/metrics")).status == 200
    assert (await ask(Starlette(routes=health_routes(health)), path="/metrics")).status == 404
