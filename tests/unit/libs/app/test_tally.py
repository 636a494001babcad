from __future__ import annotations

import asyncio
import io

from prometheus_client import REGISTRY

from libs.app.access_log import AccessLog
from libs.app.metrics import HttpMetrics
from libs.app.tally import Tally
from tests.unit.libs.app.test_access_log import ACCESS


def counted(method: str, route: str, status: str) -> float:
    labels = {"method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("gatehouse_http_request_seconds_count", labels) or 0


async def test_what_is_added_is_told_together_and_soon() -> None:
    stream = io.StringIO()
    tally = Tally(HttpMetrics(), AccessLog("gateway", stream))
    tally.add(ACCESS)
    tally.add(ACCESS)
    assert not stream.getvalue()
    for _ in range(500):
        await asyncio.sleep(0.01)
        if stream.getvalue():
            break
    assert stream.getvalue().count("\n") == 2


async def test_a_flush_tells_everything_at_once_and_only_once() -> None:
    stream = io.StringIO()
    before = counted("GET", "/v1/things", "200")
    tally = Tally(HttpMetrics(), AccessLog("gateway", stream))
    tally.add(ACCESS)
    tally.flush()
    tally.flush()
    assert stream.getvalue().count("\n") == 1
    assert counted("GET", "/v1/things", "200") == before + 1


async def test_what_waits_is_bounded() -> None:
    stream = io.StringIO()
    tally = Tally(HttpMetrics(), AccessLog("gateway", stream))
    for _ in range(1000):
        tally.add(ACCESS)
    assert stream.getvalue().count("\n") == 1000


def test_labels_are_none_that_strangers_can_make() -> None:
    metrics = HttpMetrics()
    before = counted("other", "none", "404")
    for method in ("PROPFIND", "MKCOL"):
        metrics.observe([ACCESS._replace(method=method, route="", path="/any/thing", status=404)])
    assert counted("other", "none", "404") == before + 2
    assert counted("PROPFIND", "none", "404") == 0
