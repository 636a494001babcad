"""What the documents show runs: their commands exist, their examples pass the checks that they speak of."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from apps.cli.cli_main import app as command
from tests.architecture.pages import DOCS, PAGES, examples, text
from tests.architecture.tree import ROOT, name

MEMORY_BUS = DOCS / "how-to" / "test-with-the-memory-bus.md"


def test_the_commands_in_the_documents_are_those_of_the_command() -> None:
    commands = get_command(command)
    assert isinstance(commands, TyperGroup)
    named = {
        (name(page), one) for page in PAGES for one in re.findall(r"\./gatehouse ([a-z]\w*)", text(page))
    }

    assert {one for _, one in named} >= {"up", "test"}
    assert {(page, one) for page, one in named if one not in commands.commands} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_python_example_is_python(page: Path) -> None:
    for example in examples(page):
        compile(textwrap.dedent(example), name(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_example_of_the_memory_bus_runs(tmp_path: Path) -> None:
    module = tmp_path / "test_orders.py"
    module.write_text(examples(MEMORY_BUS)[0], encoding="utf-8")

    found = run(
        "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "--rootdir", ".", str(module)
    )

    assert found.returncode == 0, found.stdout + found.stderr


def test_the_type_checker_takes_the_example_and_refuses_the_wrong_one(tmp_path: Path) -> None:
    good, wrong = examples(MEMORY_BUS)[:2]
    module = tmp_path / "orders.py"
    module.write_text(f'{good}\n\ntable = Handlers("orders")\n{wrong}', encoding="utf-8")
    line = len(module.read_text(encoding="utf-8").splitlines())

    found = run("mypy", str(module))

    [complaint] = [one for one in found.stdout.splitlines() if ": error: " in one]
    assert f"{module.name}:{line}: error: Argument 2 to" in complaint
