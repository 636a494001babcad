from __future__ import annotations

from pathlib import Path

import pytest

from libs.auth.imports import FileUnreadable, Format
from libs.auth.imports.files import Record, records


def read(tmp_path: Path, text: str | bytes, format_: Format = Format.CSV) -> list[Record]:
    file = tmp_path / "accounts"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(records(file, format_))


def test_a_record_of_csv_may_have_lines_and_knows_where_it_ends(tmp_path: Path) -> None:
    found = read(tmp_path, '\ufeffemail,metadata\r\nann@example.com,\r\n\r\nbob@example.com,"{""a"":\n1}"\n')
    assert found == [
        Record(2, {"email": "ann@example.com"}),
        Record(5, {"email": "bob@example.com", "metadata": {"a": 1}}),
    ]


def test_json_lines_may_be_empty_and_null_is_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, '{"email": "ann@example.com", "username": null}\n\n{"email": 1}', Format.JSONL)
    assert found == [Record(1, {"email": "ann@example.com"}), Record(3, {"email": 1})]


@pytest.mark.parametrize(
    ("text", "format_", "damage"),
    [
        ("email,username\nann@example.com\n", Format.CSV, "1 fields"),
        ("email,metadata\nann@example.com,{\n", Format.CSV, "metadata"),
        ("{", Format.JSONL, "not JSON"),
        ("[]", Format.JSONL, "object"),
    ],
)
def test_a_damaged_record_says_why(tmp_path: Path, text: str, format_: Format, damage: str) -> None:
    (found,) = read(tmp_path, text, format_)
    assert damage in found.damage


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ("", Format.CSV),
        ("name,username\n", Format.CSV),
        ("email,email\n", Format.CSV),
        ('email\n"ann\n', Format.CSV),
        ("email\n" + "x" * 70_000, Format.CSV),
        (b"email\n\xff\xfe", Format.CSV),
        (b'{"email": "\xff"}', Format.JSONL),
        ('{"email": "' + "x" * 70_000 + '"}', Format.JSONL),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_refused(
    tmp_path: Path, text: str | bytes, format_: Format
) -> None:
    with pytest.raises(FileUnreadable):
        read(tmp_path, text, format_)


def test_the_name_tells_the_format() -> None:
    assert [Format.of(Path(name)) for name in ("a.CSV", "a.jsonl", "a.ndjson")] == [
        Format.CSV,
        Format.JSONL,
        Format.JSONL,
    ]
    with pytest.raises(FileUnreadable, match="--format"):
        Format.of(Path("accounts.txt"))
