"""`gatehouse accounts role`: what accounts may do, also where no admin is left to say so."""

from typing import Annotated

import typer

from apps.cli.terminal import say

role = typer.Typer(help="The roles of accounts.", no_args_is_help=True)
_Login = Annotated[str, typer.Argument(help="The address or the username.")]
_Role = Annotated[str, typer.Argument(help="The name of the role, as `admin`.")]


@role.command()
def give(login: _Login, role: _Role) -> None:
    """Give an account a role; its next token has the scopes."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    administration.give_role(login, role)
    say(f"{login} has the role {role}.")


@role.command()
def take(login: _Login, role: _Role) -> None:
    """Take a role from an account; its sessions end at once."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    say(f"{login} does not have the role {role}; sessions ended: {administration.take_role(login, role)}.")
