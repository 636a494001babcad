"""The signals that end `up`: the first asks for a stop in order, the second ends everything at once."""

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Self

_SLICE = 0.05  # s; how late a signal is noticed
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The user wants to stop while things still start."""


class Interruption:
    """While it is open, a first signal is noted; a second one ends this process, and the kernel its children."""

    def __init__(self) -> None:
        # A plain flag: a handler that set a threading.Event could wait for ever for a lock its own thread holds.
        self._asked = False
        self._breaks_in = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, seconds: float) -> bool:
        """Whether a stop is asked for; waits so long for it."""
        until = time.monotonic() + seconds
        while not self._asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
        return self._asked

    @contextmanager
    def breaking_in(self) -> Generator[None]:
        """For the length of a block a signal breaks into whatever runs, as `Interrupted`."""
        self._breaks_in = True
        try:
            yield
        finally:
            self._breaks_in = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        if self._breaks_in:
            raise Interrupted
