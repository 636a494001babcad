"""Logs are bounded, and what was written last is never lost to the bound."""

from pathlib import Path

from libs.local import bound_logs

_TOO_LARGE = 9 * 1024 * 1024


def test_a_large_log_begins_anew_and_leaves_one_older_file(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_bytes(b"x" * _TOO_LARGE)

    bound_logs(tmp_path)

    assert log.stat().st_size == 0
    assert (tmp_path / "gateway.log.1").stat().st_size == _TOO_LARGE


def test_who_still_writes_goes_on_at_the_beginning(tmp_path: Path) -> None:
    with (tmp_path / "gateway.log").open("ab") as writer:
        writer.write(b"x" * _TOO_LARGE)
        writer.flush()
        bound_logs(tmp_path)
        writer.write(b"after")

    assert (tmp_path / "gateway.log").read_bytes() == b"after"


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("a line\n")

    bound_logs(tmp_path)

    assert log.read_text() == "a line\n"
    assert list(tmp_path.iterdir()) == [log]
