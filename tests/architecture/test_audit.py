"""The audit log: every kind of security event is written down somewhere, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from libs.domain.auth import SecurityEvent
from tests.architecture.tree import name, parsed, sources


def written(path: Path) -> Iterator[str]:
    """The events that a module writes: first arguments of `audit.add(...)` and `Happened(...)`."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("audit.add", "Happened")):
            yield from (
                one.value
                for one in ast.walk(node.args[0])
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )


def test_every_security_event_has_a_writer() -> None:
    writers = {event: name(path) for path in sources("libs/auth") for event in written(path)}

    assert set(writers) == set(get_args(SecurityEvent))
