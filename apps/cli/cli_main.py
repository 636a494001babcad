"""The operator's command: `./gatehouse up`, `test` and the rest, one module each."""

import errno
import sys
from collections.abc import Sequence
from typing import Final

import typer

from apps.cli.accounts import accounts
from apps.cli.database import migrate
from apps.cli.down import down
from apps.cli.keys import keys
from apps.cli.logs import logs
from apps.cli.mail import mail
from apps.cli.settings import WrongSettingsError
from apps.cli.status import status
from apps.cli.suites import bench, test
from apps.cli.terminal import complain
from apps.cli.up import up
from libs.local import LocalError

app = typer.Typer(
    name="gatehouse",
    help="Gatehouse: a gateway, an auth service and a chassis for what you build on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(status)
app.command()(logs)
app.command()(down)
app.command()(mail)
# What pytest knows is pytest's to refuse.
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)(test)
app.command()(bench)
app.command()(migrate)
app.add_typer(keys, name="keys")
app.add_typer(accounts, name="accounts")


_NOT_OURS: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What the system says of a file that somebody else owns, or of a disk that nobody may write to."""


def told(error: Exception) -> Sequence[str]:
    """What the operator is told of an error that operators can mend, by line; of any other, nothing."""
    if isinstance(error, WrongSettingsError):
        return error.lines
    if isinstance(error, LocalError):
        return [str(error)]
    if isinstance(error, OSError) and error.errno in _NOT_OURS:
        return [
            f"{error.filename}: {error.strerror}; it belongs to another user, or nothing can be written there"
        ]
    return []


def main() -> None:
    """Run one command; whatever an operator can mend ends it with a line on standard error and status 1."""
    try:
        app(prog_name="gatehouse")
    except (WrongSettingsError, LocalError, OSError) as error:
        if not (lines := told(error)):
            raise
        complain(*lines)
        sys.exit(1)


if __name__ == "__main__":
    main()
