"""The operator's command: `./gatehouse up`, `test` and the rest, one module each."""

import typer

from apps.cli.accounts import accounts
from apps.cli.database import migrate
from apps.cli.down import down
from apps.cli.keys import keys
from apps.cli.logs import logs
from apps.cli.status import status
from apps.cli.suites import bench, test
from apps.cli.up import up

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
# What pytest knows is pytest's to refuse.
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)(test)
app.command()(bench)
app.command()(migrate)
app.add_typer(keys, name="keys")
app.add_typer(accounts, name="accounts")

if __name__ == "__main__":
    app(prog_name="gatehouse")
