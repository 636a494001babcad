"""The page about OWASP ASVS 5.0: every requirement of its chapters has its row, and every test that a row names is there."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.pages import CODE, DOCS, rows, text
from tests.architecture.tree import ROOT, parsed

PAGE = DOCS / "reference" / "asvs.md"
# Requirements by section: those of level 1, those of level 2.
REQUIRED = {
    "6.1": ("1", "2-3"),
    "6.2": ("1-8", "9-12"),
    "6.3": ("1-2", "3-4"),
    "6.4": ("1-2", "3-4"),
    "6.5": ("", "1-5"),
    "6.6": ("", "1-3"),
    "6.8": ("", "1-4"),
    "7.1": ("", "1-3"),
    "7.2": ("1-4", ""),
    "7.3": ("", "1-2"),
    "7.4": ("1-2", "3-5"),
    "7.5": ("", "1-2"),
    "7.6": ("", "1-2"),
    "9.1": ("1-3", ""),
    "9.2": ("1", "2-4"),
    "10.1": ("", "1-2"),
    "10.2": ("", "1-2"),
    "10.3": ("", "1-4"),
    "10.4": ("1-5", "6-11"),
    "10.5": ("", "1-5"),
    "10.6": ("", "1-2"),
    "10.7": ("", "1-3"),
}
LATER = re.compile(r"later: (second factors|OpenID Connect)")
WHY_NOT = re.compile(r"does not apply: \S.{10,}")


def numbers(ranges: str) -> Iterator[int]:
    """`1-3 5` as 1, 2, 3, 5."""
    for one in ranges.split():
        first, _, last = one.partition("-")
        yield from range(int(first), int(last or first) + 1)


def required() -> list[tuple[str, str]]:
    """Every requirement with its level, in order."""
    return [
        (f"{section}.{number}", str(level))
        for section, levels in REQUIRED.items()
        for level, ranges in enumerate(levels, start=1)
        for number in numbers(ranges)
    ]


def listed() -> list[list[str]]:
    return [row for row in rows(text(PAGE)) if row[0] != "requirement"]


def named_tests(cell: str) -> list[str]:
    return [code for code in CODE.findall(cell) if code.startswith("tests/")]


def is_there(test: str) -> bool:
    """Whether `path::name` or `path::Class::name` is a test."""
    path, *names = test.split("::")
    if not (ROOT / path).is_file():
        return False
    found: ast.AST = parsed(ROOT / path)
    for one in names:
        inside = {child.name: child for child in ast.iter_child_nodes(found) if hasattr(child, "name")}
        if one not in inside:
            return False
        found = inside[one]
    return isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and found.name.startswith("test_")


def test_every_requirement_has_its_row() -> None:
    assert [(row[0], row[1]) for row in listed()] == required()


def test_every_row_names_a_test_or_says_why_not() -> None:
    silent = [
        row[0]
        for row in listed()
        if not (named_tests(row[3]) or LATER.match(row[3]) or WHY_NOT.match(row[3]))
    ]

    assert silent == []


def test_every_test_that_is_named_is_there() -> None:
    named = {test for row in listed() for test in named_tests(row[3])}

    assert len(named) > 40
    assert {test for test in named if not is_there(test)} == set()
