from __future__ import annotations

import pytest
from pydantic import ValidationError

from libs.domain.auth import CreateApiKeyRequest


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\0",
        "\x1b[31mbackup",
        "backup\x9b31m",
        "two\nlines",
        "two\u2028lines",
        "\u202epukcab",
        "\u3000",
        "x" * 101,
    ],
)
def test_the_name_of_a_key_is_one_line_that_can_be_shown(name: str) -> None:
    with pytest.raises(ValidationError):
        CreateApiKeyRequest(name=name)


@pytest.mark.parametrize("name", ["b", "backup job", "резервная копия", "備份", " x ", "👩‍💻's laptop"])
def test_a_name_is_kept_as_it_was_typed(name: str) -> None:
    assert CreateApiKeyRequest(name=name).name == name
