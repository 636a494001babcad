"""Private services for one session of tests or measurements, with nothing left at its end."""

import contextlib
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from libs.local.errors import AlreadyRunningError
from libs.local.services import LocalServices
from libs.local.state import State, orphaned

_BEGINNING_SECONDS = 5.0  # between making the folder and owning it nothing says that a session uses it


@contextlib.contextmanager
def temporary_services(purpose: str) -> Generator[LocalServices]:
    """Services whose data goes with the block; none is started yet.

    What a session of the same purpose has left that was killed is removed first, and what lost its temporary folder.
    """
    prefix = f"gatehouse-{purpose}-"
    temporary = Path(tempfile.gettempdir())
    left = [State(folder) for folder in temporary.glob(f"{prefix}*") if not _begins(folder)]
    for abandoned in (*left, *orphaned(temporary)):
        _sweep(abandoned)
    local = LocalServices(Path(tempfile.mkdtemp(prefix=prefix)))
    try:
        with local:
            yield local
    finally:
        local.state.wipe()


def _begins(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime < _BEGINNING_SECONDS
    except FileNotFoundError:
        return True  # its owner has just removed it


def _sweep(state: State) -> None:
    """Remove a state that nobody owns; one of another user stays."""
    with contextlib.suppress(AlreadyRunningError, OSError):
        state.acquire()
        state.records.end_orphans()
        state.release()
        state.wipe()
