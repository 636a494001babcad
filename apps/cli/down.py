"""`gatehouse down`: end what `up` runs, whatever state it is in."""

import os
import select
import signal
from typing import Annotated

import typer

from apps.cli.record import forget, running
from apps.cli.settings import STATE
from apps.cli.terminal import fail, say, waiting
from libs.local import State

_STOP_SECONDS = 120.0


def down(
    *,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Also remove all data, passwords, keys and logs.")
    ] = False,
) -> None:
    """Stop the platform in order. Nothing of it is left running."""
    state = State(STATE)
    owned = state.is_owned()
    if owned:
        _stop(state)
    state.acquire()
    left = state.records.end_orphans()
    forget(state)
    state.release()
    if left:
        say(f"Ended what an earlier run left behind: {', '.join(left)}.")
    say("Stopped." if owned else "Nothing was running.")
    if wipe:
        state.wipe()
        say("Removed all data, passwords, keys and logs.")


def _stop(state: State) -> None:
    """Ask the `up` that owns the state to stop, and wait until its process is gone."""
    record = running(state)
    if record is None:
        fail("Gatehouse is just starting; try again in a moment.")
    try:
        process = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return  # it has ended in this very moment
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        with waiting("stopping"):
            ended, _, _ = select.select([process], [], [], _STOP_SECONDS)
    finally:
        os.close(process)
    if not ended:
        fail(f"process {record.pid} has not stopped within {_STOP_SECONDS:.0f} s; see ./gatehouse logs")
