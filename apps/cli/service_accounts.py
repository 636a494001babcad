"""`gatehouse accounts service`: programs that sign in with a secret of their own."""

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.terminal import say, table

if TYPE_CHECKING:
    from libs.auth import NewSecret

service = typer.Typer(help="Service accounts: programs with client credentials.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="The name of the service account.")]


@service.command()
def create(
    name: _Name,
    *,
    scope: Annotated[list[str], typer.Option(help="What it may do; may be given several times.")] = [],  # ruff: ignore[mutable-argument-default]  typer copies it
) -> None:
    """Make a service account. Its secret is shown this once."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    _show(administration.create_service(name, scope))


@service.command("list")
def list_services() -> None:
    """Show the service accounts."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    table(administration.list_services(), head=("name", "client id", "state", "scopes"))


@service.command()
def secret(name: _Name) -> None:
    """Give it another secret; the old one and its tokens are refused at once."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    _show(administration.replace_secret(name))


@service.command()
def disable(name: _Name) -> None:
    """Shut a service account; its tokens are refused at once."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    administration.disable_service(name)
    say(f"{name} is disabled.")


def _show(new: "NewSecret") -> None:
    say(f"client_id      {new.client_id}")
    say(f"client_secret  {new.client_secret}")
    say("The secret is not shown again.")
