"""The life of one private service: started, ready, stopped, killed, started again on the same port."""

import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from libs.local.child import Child, Command, spawn
from libs.local.errors import NotReadyError
from libs.local.state import State

_READY_SECONDS = 180.0
"""One that ends is noticed at once; RabbitMQ takes 6 s, and many times that where no core is free."""
_POLL_SECONDS = 0.03
_LOG_LINES_SHOWN = 12


class Service(ABC):
    """A server process of ours, with its data and its password."""

    name: str
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 20.0
    """How long a stop in order may take before it is cut short."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._child: Child | None = None
        self._asked = False
        self._log_begins = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, with the credentials of its operator."""

    @abstractmethod
    def command(self) -> Command:
        """Prepare the data where needed and say what to run."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server answers with our password now."""

    @property
    def log(self) -> Path:
        """What the server has written."""
        return self.state.log(self.name)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._child is None:
            raise NotReadyError(f"{self.name} has not been started")
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """How its process ended: a negative number is the signal that ended it. None while it runs."""
        return self._child.exit_code if self._child else None

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._child is not None and self._child.exit_code is None

    def spawn(self) -> None:
        """Start the process and return without waiting for it."""
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        self._child = spawn(self.command())
        self._asked = False
        self.state.records.note(self.name, self._child.pid)

    def wait_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Return when our own child is alive and answers with our password; NotReadyError when it ends or is late."""
        deadline = time.monotonic() + seconds
        while not (self.running and self.answers()):
            if not self.running:
                raise NotReadyError(f"{self.name} ended while it started:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise NotReadyError(f"{self.name} was not ready within {seconds:.0f} s:\n{self.last_lines()}")
            time.sleep(_POLL_SECONDS)
        self.state.records.note(self.name, self.pid, settled=True)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.spawn()
        self.wait_ready()

    def ask_to_stop(self) -> None:
        """Ask it to stop and do not wait; once, since a second signal would cut the stop short."""
        if self._child and not self._asked:
            self._asked = True
            self._child.send(self.stop_signal)

    def stop(self) -> None:
        """Stop it in order, by force when that takes too long; nothing happens when it does not run."""
        if self._child:
            self.ask_to_stop()
            if not self._child.wait(self.stop_seconds):
                self._child.kill()
            self._gone()

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        if self._child:
            self._child.kill()
            self._gone()

    def restart(self) -> None:
        """Stop it in order and start it again on the same port with the same data."""
        self.stop()
        self.start()

    def last_lines(self) -> str:
        """The end of what it has written since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_begins)
            lines = log.read().decode("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES_SHOWN:])

    def _gone(self) -> None:
        self._child = None
        self.state.records.forget(self.name)
