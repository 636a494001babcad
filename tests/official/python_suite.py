"""Runs the tests of centrifuge-python as they are, in a process of its own where `localhost:8000` is another port.

    python python_suite.py FOLDER PORT REPORT [LEFT_OUT ...]

``FOLDER`` holds the unpacked source distribution; ``REPORT`` is where the outcome goes, as JSON. Of the machine's port
8000 nothing is needed: the name is resolved to the gateway under test, as a line in a hosts file would.
"""

from __future__ import annotations

import json
import socket
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_resolve = socket.getaddrinfo


def main(folder: str, port: str, report: str, *left_out: str) -> None:
    """Run every test of `tests/test_client.py` but those that are ``left_out``."""

    def resolve(host: Any, service: Any, *arguments: Any, **named: Any) -> Any:
        if (host, str(service)) == ("localhost", "8000"):
            host, service = "127.0.0.1", int(port)
        return _resolve(host, service, *arguments, **named)

    socket.getaddrinfo = resolve  # type: ignore[assignment]  # its stub names every parameter
    sys.path.insert(0, folder)
    found = {
        test.id(): test for test in _tests(unittest.defaultTestLoader.loadTestsFromName("tests.test_client"))
    }
    chosen = unittest.TestSuite(test for name, test in found.items() if name not in left_out)
    outcome = unittest.TextTestRunner(verbosity=2).run(chosen)
    said = {
        "found": sorted(found),
        "run": outcome.testsRun,
        "skipped": [test.id() for test, _ in outcome.skipped],
        "failed": [[test.id(), text] for test, text in [*outcome.failures, *outcome.errors]],
    }
    Path(report).write_text(json.dumps(said), encoding="utf-8")


def _tests(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from _tests(one)
        else:
            yield one


if __name__ == "__main__":
    main(*sys.argv[1:])
