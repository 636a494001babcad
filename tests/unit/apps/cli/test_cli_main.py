"""What an operator can mend is told in a line, and what is our fault is not hidden."""

import errno

from apps.cli.cli_main import told
from apps.cli.settings import WrongSettingsError
from libs.local import LocalError


def test_what_an_operator_can_mend_is_told() -> None:
    assert told(WrongSettingsError(["A: is required", "B: is no number"])) == (
        "A: is required",
        "B: is no number",
    )
    assert told(LocalError("redis ended")) == ["redis ended"]


def test_a_file_of_somebody_else_is_named() -> None:
    (line,) = told(PermissionError(errno.EACCES, "Permission denied", "/there/.gatehouse"))
    assert line.startswith("/there/.gatehouse: Permission denied")


def test_any_other_error_of_the_system_is_ours_to_explain() -> None:
    assert told(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")) == []
