"""The operator's command: `./gatehouse up`, `test` and the rest, one module each."""

import sys

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


def main() -> None:
    """Run one command; whatever an operator can mend ends it with a line on standard error and status 1."""
    try:
        app(prog_name="gatehouse")
    except WrongSettingsError as error:
        complain(*error.lines)
        sys.exit(1)
    except LocalError as error:
        complain(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
