"""How modules look: small, named for what they are, with a face per package."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import PRODUCT, ROOT, name, parsed, sources

MAX_LINES = 300
MAX_FUNCTION = 60
LONGER_MODULES = {
    "libs/domain/auth/__init__.py": "a face names all that it shows twice, and holds nothing else"
}
LONGER_FUNCTIONS: dict[str, str] = {}
DRAWERS = re.compile(r"(utils?|helpers?|common|misc|manager|base_\w+)(\.py)?")
DOORS = {"libs", "libs/containers", "libs/infra", "apps", "apps/gateway", "apps/auth_svc", "apps/cli"}
LISTS = {"libs/domain"}  # its face is what its contracts hold, not the contracts that it imports


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def packages() -> list[Path]:
    return [
        path.parent
        for path in sources("libs")
        if path.name == "__init__.py" and name(path.parent) not in DOORS | LISTS
    ]


def test_a_module_is_one_idea_of_at_most_300_lines() -> None:
    long = {
        name(path): lines
        for path in sources(*PRODUCT)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
        and name(path) not in LONGER_MODULES
    }

    assert long == {}


def test_a_function_has_at_most_60_lines() -> None:
    long = {
        function: lines
        for path in sources(*PRODUCT)
        for function, lines in functions(path)
        if lines > MAX_FUNCTION and function not in LONGER_FUNCTIONS
    }

    assert long == {}


def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(lines for path in sources(*PRODUCT) for _, lines in functions(path))

    assert lengths[len(lengths) // 2] <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 35


def test_there_are_no_drawers() -> None:
    drawers = [
        name(path)
        for path in sources(*PRODUCT, "tests", "benchmarks")
        if DRAWERS.fullmatch(path.name.removesuffix(".py"))
    ]

    assert drawers == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        name(path)
        for path in sources(*PRODUCT, "benchmarks")
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(parsed(path))
    ]

    assert silent == []


@pytest.mark.parametrize("package", packages(), ids=name)
def test_a_packages_face_is_what_it_imports(package: Path) -> None:
    module = importlib.import_module(name(package).replace("/", "."))
    tree = parsed(package / "__init__.py")
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    }
    others = [
        node
        for node in tree.body
        if not isinstance(node, ast.ImportFrom | ast.Import | ast.Expr | ast.Assign)
    ]

    assert sorted(module.__all__) == sorted(imported - {"annotations"})
    assert others == []


def test_packages_of_doors_pull_no_driver() -> None:
    full = [
        door for door in sorted(DOORS) if (ROOT / door / "__init__.py").read_text(encoding="utf-8").strip()
    ]

    assert full == []


def test_only_settings_read_the_environment() -> None:
    readers = [
        f"{name(path)}:{node.lineno}"
        for path in sources(*PRODUCT)
        if path.name != "settings.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv", "environb", "putenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]

    assert readers == []


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    found = [
        f"{name(path)}:{number}"
        for path in sources(*PRODUCT, "benchmarks")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]

    assert found == []
