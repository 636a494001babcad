"""What is shown is safe to show and easy to copy."""

import pytest

from apps.cli.terminal import table, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://app:secret@127.0.0.1:5432/gatehouse", "postgresql://app@127.0.0.1:5432/gatehouse"),
        ("redis://:secret@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("postgresql://db/x?user=a&password=secret&ssl=on", "postgresql://db/x?user=a&password=...&ssl=on"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("amqp://u:p@a:5672/v,amqp://u:q@b:5672/v", "amqp://u@a:5672/v,amqp://u@b:5672/v"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_a_row_stays_one_line_however_long_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    address = "http://" + "a" * 200

    table([("gateway", address), ("auth_svc", "short")], head=("part", "address"))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1] == f"  gateway    {address}"
    assert lines[2] == "  auth_svc   short"
