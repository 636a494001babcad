"""What is told of requests after their answers: counted and written ten times per second, rather than one by one."""

from __future__ import annotations

import asyncio

from libs.app.access_log import Access, AccessLog
from libs.app.metrics import HttpMetrics

_PERIOD = 0.1  # seconds; what a kill -9 may lose of the access log
_MOST = 1000  # requests that wait at most


class Tally:
    """Collects accesses and passes them on together: the same work, done while its code is at hand."""

    def __init__(self, metrics: HttpMetrics, access_log: AccessLog | None = None) -> None:
        self._metrics = metrics
        self._access_log = access_log
        self._waiting: list[Access] = []

    def add(self, access: Access) -> None:
        """Tell of it within a tenth of a second."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(_PERIOD, self.flush)
        self._waiting.append(access)
        if len(self._waiting) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Tell of everything now."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._metrics.observe(waiting)
            if self._access_log is not None:
                self._access_log.write(waiting)
