"""Keeping processes alive: one that ends is started again, each time after a longer delay."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from libs.local import LocalError, Service

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_STABLE_SECONDS = 60.0  # who has lived so long begins again with the shortest delay


@dataclass
class _Watched:
    service: Service
    started: float
    delay: float = _FIRST_DELAY
    due: float | None = None
    """When it is to be started again; None while it runs."""


class Supervisor:
    """Watches services that run."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        say: Callable[[str], None],
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._changed = changed
        self._clock = clock
        self._watched = [_Watched(service, clock()) for service in services]

    def look(self) -> None:
        """Look at each service once: notice one that has ended, start one that is due."""
        for watched in self._watched:
            if watched.due is not None:
                if self._clock() >= watched.due:
                    self._start(watched)
            elif not watched.service.running:
                self._plan(watched, _how(watched.service.exit_code))

    def _start(self, watched: _Watched) -> None:
        watched.due = None
        watched.started = self._clock()
        try:
            watched.service.spawn()
        except (LocalError, OSError) as error:
            self._plan(watched, f"could not be started ({error})")
        else:
            self._changed()

    def _plan(self, watched: _Watched, what: str) -> None:
        if self._clock() - watched.started >= _STABLE_SECONDS:
            watched.delay = _FIRST_DELAY
        watched.due = self._clock() + watched.delay
        self._say(f"{watched.service.name} {what}; starting it again in {watched.delay:g} s")
        watched.delay = min(watched.delay * 2, _LONGEST_DELAY)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with status {exit_code}"
