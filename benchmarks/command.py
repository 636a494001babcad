"""The command line of a benchmark: private services, one run, one report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.bystanders import Bystanders
from benchmarks.report import Fields, rounded, show
from libs.local import LocalServices


def run_alone(question: str, run: Callable[[LocalServices], Fields]) -> int:
    """Run on services of its own; the exit code is 1 where a message or a call went wrong.

    With `--json` standard output is one line, one object; what is said meanwhile goes to standard error.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--json", action="store_true", help="one line, one object, alone on standard output")
    as_json = parser.parse_args().json
    local = LocalServices(Path(tempfile.mkdtemp(prefix="gatehouse-bench-")))
    try:
        with local:
            bystanders = Bystanders()
            result = run(local)
            result["others_cpu"] = rounded(bystanders.share())
    finally:
        local.state.wipe()
    show(result, as_json=as_json)
    return 1 if result["faults"] else 0


def progress(line: str) -> None:
    """Tell whoever waits what has been measured."""
    print(line, file=sys.stderr, flush=True)
