"""The linters and the type checker are part of the suite."""

import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)],
    ids=["ruff check", "ruff format", "mypy --strict"],
)
def test_is_clean(command: tuple[str, ...]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("made", ["random.randrange(10**8)", "random.Random().randbytes(32)"])
def test_a_secret_from_a_generator_that_can_be_foreseen_is_found(made: str) -> None:
    """Without this rule codes and tokens could come from the Mersenne Twister, and every test of what they look like would pass."""
    command = ("ruff", "check", "--output-format", "concise", "--stdin-filename", "libs/auth/tokens.py", "-")
    found = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        input=f"import random\n\nSECRET = {made}\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert "suspicious-non-cryptographic-random-usage" in found.stdout
