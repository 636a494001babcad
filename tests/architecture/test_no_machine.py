"""Nothing in the tree says on which machine it was written, nor where that machine got its packages."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOT, name

MADE = {"__pycache__", "htmlcov", "node_modules"}


def written() -> Iterator[Path]:
    """Every text file of the tree that is not made by a tool, nor a developer's own `.env`."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [one for one in folders if one == ".ci" or not (one.startswith(".") or one in MADE)]
        for file in files:
            path = Path(folder, file)
            if file != ".env" and b"\0" not in path.read_bytes()[:8192]:
                yield path


def strays(pattern: re.Pattern[str]) -> list[str]:
    """Where the pattern is found in the tree."""
    return [
        f"{name(path)}:{number}"
        for path in written()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_a_machine_is_written_down() -> None:
    homes = r"/(?:home|Users)/\w"
    here = rf"{re.escape(str(ROOT))}(?:/|\b)"

    assert strays(re.compile(rf"(?<![\w.}}>])(?:{homes}|{here})")) == []


def test_no_address_of_a_package_registry_is_written_down() -> None:
    """A registry's address is known by how it is used: as an index option, by its path, or in a lock file."""
    option = r"index[-_]url\b|_INDEX\s*=|\bregistry\s*=\s*[\"']?https?:"
    path = r"https?://[^\s\"'`)]+/simple\b"
    locked = r"\"resolved\":\s*\"https?:"

    assert strays(re.compile(rf"{option}|{path}|{locked}", re.IGNORECASE)) == []
