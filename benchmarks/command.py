"""The command line of a benchmark: private services, one run, one report."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from benchmarks.report import Fields, show
from libs.local import LocalServices, Service


def run_alone(
    question: str,
    services: Callable[[LocalServices], Sequence[Service]],
    measure: Callable[[LocalServices], Coroutine[None, None, Fields]],
) -> int:
    """Run `measure` on `services` of its own; the exit code is 1 where a message or a call went wrong.

    With `--json` standard output is one line, one object; what is said meanwhile goes to standard error.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--json", action="store_true", help="one line, one object, alone on standard output")
    as_json = parser.parse_args().json
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    with LocalServices(folder) as local:
        local.start(services(local))
        result = asyncio.run(measure(local))
    local.state.wipe()
    show(result, as_json=as_json)
    return 1 if result["faults"] else 0


def progress(line: str) -> None:
    """Tell whoever waits what has been measured."""
    print(line, file=sys.stderr, flush=True)
