"""`up --detach`: another process runs the platform; this one shows its words and returns when it is ready."""

import subprocess  # ruff: ignore[suspicious-subprocess-import] - starts this very command again
import sys
import time
from typing import BinaryIO

import typer

from apps.cli.record import running
from apps.cli.settings import ROOT, STATE
from apps.cli.terminal import fail, raw
from libs.local import State

_READY_SECONDS = 1_200.0  # the first time packages may have to be installed
_POLL_SECONDS = 0.1


def start_detached(options: list[str]) -> None:
    """Start `up` in a session of its own, and return once it is ready; end as it ends when it fails."""
    state = State(STATE)
    state.acquire()  # raises AlreadyRunningError here, before anything is started
    state.release()
    with state.log("up").open("w+b") as words:
        process = subprocess.Popen(  # ruff: ignore[subprocess-without-shell-equals-true] - our own command
            [sys.executable, "-m", "apps.cli.cli_main", "up", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with state.log("up").open("rb") as said:
            _relay_until_ready(process, state, said)


def _relay_until_ready(process: subprocess.Popen[bytes], state: State, said: BinaryIO) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll()
        record = running(state)
        ready = record is not None and record.ready and record.pid == process.pid
        raw(said.read().decode("utf-8", errors="replace"))
        if ended is not None:
            raise typer.Exit(ended or 1)
        if ready:
            return
        time.sleep(_POLL_SECONDS)
    fail("Gatehouse is not ready yet; see ./gatehouse logs")
