"""`gatehouse accounts`: make an account, shut an account."""

import sys
from typing import Annotated

import typer

from apps.cli.terminal import say

accounts = typer.Typer(help="The accounts of clients.", no_args_is_help=True)


@accounts.command()
def create(
    email: Annotated[str, typer.Argument(help="The address, which is also a login.")],
    *,
    username: Annotated[str | None, typer.Option(help="A second login.")] = None,
) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    if sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\n")
    say(f"Account {administration.create_account(email, username, password)} is made.")


@accounts.command()
def disable(login: Annotated[str, typer.Argument(help="The address or the username.")]) -> None:
    """Shut an account and end its sessions at once."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    say(f"{login} is disabled; sessions ended: {administration.disable_account(login)}.")
