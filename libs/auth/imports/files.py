"""Files of accounts: CSV or JSON lines, read one record at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

_LONGEST = 65_536  # bytes of a line of JSON; characters of a field of CSV


class FileUnreadable(Exception):
    """The file cannot be read; the message says why."""


class Format(StrEnum):
    """How the records are written."""

    CSV = "csv"
    JSONL = "jsonl"

    @classmethod
    def of(cls, file: Path) -> Format:
        """The format that a file's name tells; raises `FileUnreadable`."""
        suffix = file.suffix.lower().removeprefix(".")
        if suffix in {"jsonl", "ndjson"}:
            return cls.JSONL
        if suffix == "csv":
            return cls.CSV
        raise FileUnreadable(f"{file.name} ends neither in .csv nor in .jsonl: say which with --format")


@dataclass(frozen=True, slots=True)
class Record:
    """One account as the file has it; ``damage`` says why its fields could not be read."""

    line: int
    """Where it ends, counted from 1."""
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    damage: str = ""


def records(file: Path, format_: Format) -> Iterator[Record]:
    """Every record of the file, in order; raises `FileUnreadable` where nothing after it can be read either."""
    try:
        yield from _csv(file) if format_ is Format.CSV else _json_lines(file)
    except UnicodeDecodeError:
        raise FileUnreadable(f"{file.name} is not UTF-8 text") from None
    except OSError as error:
        raise FileUnreadable(f"{file.name} cannot be read: {error.strerror}") from error


def _csv(file: Path) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST)
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        try:
            columns = next(rows, [])
            if "email" not in columns or len(set(columns)) < len(columns):
                raise FileUnreadable(
                    f"{file.name}: its first line must name the columns, each once, and one is email"
                )
            for row in rows:
                if row:
                    yield _of_csv(rows.line_num, columns, row)
        except csv.Error as error:
            raise FileUnreadable(f"{file.name}, line {rows.line_num}: {error}") from error


def _of_csv(line: int, columns: list[str], row: list[str]) -> Record:
    """An empty field is an absent one, and metadata are JSON."""
    if len(row) != len(columns):
        return Record(line, damage=f"it has {len(row)} fields, and the first line {len(columns)}")
    fields: dict[str, Any] = {name: value for name, value in zip(columns, row, strict=True) if value}
    if "metadata" in fields:
        try:
            fields["metadata"] = json.loads(fields["metadata"])
        except ValueError:
            return Record(line, damage="metadata: it is not JSON")
    return Record(line, fields)


def _json_lines(file: Path) -> Iterator[Record]:
    with file.open("rb") as lines:
        number = 0
        while text := lines.readline(_LONGEST + 1):
            number += 1
            if len(text) > _LONGEST:
                raise FileUnreadable(f"{file.name}, line {number}: it is longer than {_LONGEST:,} bytes")
            if text.strip():
                yield _of_json(number, text.decode())


def _of_json(line: int, text: str) -> Record:
    try:
        found = json.loads(text)
    except ValueError:
        return Record(line, damage="it is not JSON")
    if not isinstance(found, dict):
        return Record(line, damage="it is not a JSON object")
    return Record(line, {name: value for name, value in found.items() if value is not None})
