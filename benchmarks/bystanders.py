"""How much of the machine went to processes that are no part of the benchmark."""

from __future__ import annotations

import contextlib
import os
import resource
import time

import psutil


class Bystanders:
    """Watches from its making on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy = _busy()
        self._own = _own()

    def share(self) -> float:
        """The part of all cores' time that others have used so far, 0 to 1."""
        others = (_busy() - self._busy) - (_own() - self._own)
        return max(0.0, others / (time.monotonic() - self._began) / (os.cpu_count() or 1))


def _busy() -> float:
    """Seconds that all cores together have not been idle."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _own() -> float:
    """CPU seconds of this process, of its children that have ended, and of all that still run below it."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return float(total)
