"""A child process that cannot outlive us: own session, output in a log file, ended by the kernel with its parent."""

import functools
import os
import shutil
import signal
import subprocess  # ruff: ignore[suspicious-subprocess-import] - starting server programs is what this package is for
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """The system user that a child runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run, and how it is tied to us."""

    args: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    account: Account | None = None
    last_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends to the child when we die without a word."""
    inherited: Sequence[int] = ()
    """File descriptors that stay open in the child, under the same numbers."""


class Child:
    """A started process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, else how it ended: a negative number is the signal that ended it."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that comes too late is no error."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until it is gone."""
        self._process.kill()
        self._process.wait()


def spawn(command: Command) -> Child:
    """Start a child and return at once.

    It gets a session of its own, so that Ctrl-C at the terminal reaches us alone and we keep the order of stopping.
    """
    return Child(_forker().submit(_fork, command).result())


@functools.cache
def _forker() -> ThreadPoolExecutor:
    """The thread that forks every child.

    PR_SET_PDEATHSIG fires when the forking *thread* ends, so a child must never be forked from a passing worker
    thread; this one lives until the interpreter exits.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="fork")


def _fork(command: Command) -> subprocess.Popen[bytes]:
    account = command.account
    output = os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # ruff: ignore[subprocess-without-shell-equals-true] - the programs are named by us
            [*_tie(command.last_signal), *command.args],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
            pass_fds=command.inherited,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    finally:
        os.close(output)


def _tie(last_signal: signal.Signals) -> list[str]:
    """The words before a command that tie it to us.

    A change of user clears the tie, so it is made by a program that runs after the change (and needs no code of
    ours between fork and exec). Where setpriv is missing, an orphan is found by its record at the next start.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", last_signal.name.removeprefix("SIG"), "--"] if setpriv else []
