"""What is counted about HTTP, with labels that are bounded whatever strangers send."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Histogram

from libs.app.access_log import Access

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

SECONDS = Histogram(
    "gatehouse_http_request_seconds",
    "Time from a request's head to the end of its answer.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class HttpMetrics:
    """Keeps the histogram's children, whose look-up by label costs more than their use."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, accesses: Iterable[Access]) -> None:
        """Count them."""
        for access in accesses:
            method = access.method if access.method in _METHODS else "other"
            key = (method, access.route, access.status)
            child = self._children.get(key)
            if child is None:
                child = SECONDS.labels(method, access.route or "none", str(access.status))
                self._children[key] = child
            child.observe(access.seconds)
