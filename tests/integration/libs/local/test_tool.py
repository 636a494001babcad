"""Programs that are run to their end."""

import os
import sys
from pathlib import Path

import pytest

from libs.local import LocalError, run_aloud


def run(code: str, *, seconds: float = 20) -> list[str]:
    said: list[str] = []
    run_aloud(
        [sys.executable, "-c", code], env=dict(os.environ), cwd=Path("/"), seconds=seconds, said=said.append
    )
    return said


def test_what_a_program_says_is_passed_on_without_its_result() -> None:
    assert run("print('one')\nprint('two')\nprint('done')") == ["one", "two"]


def test_the_last_words_of_one_that_fails_are_the_error() -> None:
    with pytest.raises(LocalError, match=r"^this is why$"):
        run("import sys\nprint('trying')\nsys.exit('this is why')")


def test_one_that_takes_too_long_is_ended() -> None:
    """A shell, since Python itself may take longer to begin on a busy machine."""
    said: list[str] = []
    with pytest.raises(LocalError, match="still here"):
        run_aloud(
            ["/bin/sh", "-c", "echo still here; exec sleep 60"],
            env=dict(os.environ),
            cwd=Path("/"),
            seconds=3,
            said=said.append,
        )
