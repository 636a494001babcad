"""Which processes we started: a record of each, by which an orphan is told from a stranger with the same number."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

_CLOCK_SLACK_SECONDS = (
    1.0  # a process's start time is counted from the boot time, which moves when the clock is set
)


class Records:
    """One small file per running child, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, name: str, pid: int, *, settled: bool = False) -> None:
        """Record a child: at its start, and once more when it answers and has settled in its executable.

        Until then the executable is unknown, since a start passes through shells.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            record = {
                "pid": pid,
                "started": process.create_time(),
                "executable": process.exe() if settled else None,
            }
            self._folder.mkdir(mode=0o700, exist_ok=True)
            fresh = self._folder / f"{name}.new"
            fresh.write_text(json.dumps(record), "utf-8")
            fresh.replace(self._file(name))  # whole or not at all, for whoever reads it, also after our crash

    def forget(self, name: str) -> None:
        """The child has ended."""
        self._file(name).unlink(missing_ok=True)

    def end_orphans(self, seconds: float = 30.0) -> list[str]:
        """End every recorded process that still runs, and return the names of those.

        They are asked first and killed after so many seconds. A process that merely has a recorded number is left
        alone.
        """
        orphans = dict(self._orphans())
        for process in orphans.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(list(orphans.values()), timeout=seconds)
        for process in stubborn:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=seconds)
        for file in self._folder.glob("*.json"):
            file.unlink(missing_ok=True)
        return sorted(orphans)

    def _orphans(self) -> Iterator[tuple[str, psutil.Process]]:
        for file in self._folder.glob("*.json"):
            with contextlib.suppress(psutil.Error, OSError, ValueError, KeyError):
                record = json.loads(file.read_text("utf-8"))
                if process := _recognise(record):
                    yield file.stem, process

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _recognise(record: dict[str, Any]) -> psutil.Process | None:
    """The process of a record, or None when it has ended and its number is someone else's."""
    process = psutil.Process(record["pid"])
    same_start = abs(process.create_time() - record["started"]) <= _CLOCK_SLACK_SECONDS
    same_program = record["executable"] in {None, process.exe()}
    return process if same_start and same_program else None
