"""Locked requirements: every one with its hashes, none with an address."""

import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def requirements(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    found = requirements(lock.read_text(encoding="utf-8"))

    assert found
    assert [line for line in found if not re.match(r"[\w.\-]+(\[[\w,]+\])?==\S+", line)] == []
    assert [line for line in found if "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_address_is_recorded(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")

    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_what_runs_is_what_was_tested() -> None:
    run, dev = (
        set(requirements((ROOT / "requirements" / name).read_text())) for name in ("run.txt", "dev.txt")
    )

    assert run <= dev


def test_no_lock_format_that_stores_addresses_is_committed() -> None:
    assert [name for name in ("uv.lock", "poetry.lock", "Pipfile.lock") if (ROOT / name).exists()] == []
