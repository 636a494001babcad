"""What is counted about HTTP, with labels that are bounded whatever strangers send."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("gatehouse_http_requests", "Answered HTTP requests.", ["method", "route", "status"])
SECONDS = Histogram(
    "gatehouse_http_request_seconds",
    "Time from a request's head to the end of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class HttpMetrics:
    """Keeps the children of the metrics, whose look-up by label costs more than their use."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; ``route`` is a path template, or empty where no route matched."""
        key = (method, route, status)
        counter = self._requests.get(key)
        if counter is None:
            method = method if method in _METHODS else "other"
            key = (method, route, status)
            counter = self._requests[key] = REQUESTS.labels(method, route or "none", str(status))
        histogram = self._seconds.get(route)
        if histogram is None:
            histogram = self._seconds[route] = SECONDS.labels(route or "none")
        counter.inc()
        histogram.observe(seconds)
