from __future__ import annotations

from collections.abc import Sequence

import pytest
import typer

from apps.cli import administration


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [
        ("", [], "name"),
        (" billing", [], "name"),
        ("billing\n", [], "name"),
        ("x" * 101, [], "name"),
        ("billing", ['a"b'], "scope"),
    ],
)
def test_a_service_account_that_cannot_be_is_refused_by_its_field(
    name: str, scopes: Sequence[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        administration.create_service(name, scopes)
    assert capsys.readouterr().err.startswith(f"{field}: ")
