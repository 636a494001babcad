"""`gatehouse accounts`: make an account, shut an account, bring accounts of another system in."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.roles import role
from apps.cli.service_accounts import service
from apps.cli.terminal import complain, fail, say

accounts = typer.Typer(help="The accounts of clients.", no_args_is_help=True)
accounts.add_typer(service, name="service")
accounts.add_typer(role, name="role")


class Written(StrEnum):
    """How a file of accounts is written."""

    CSV = "csv"
    JSONL = "jsonl"


@accounts.command()
def create(
    email: Annotated[str, typer.Argument(help="The address, which is also a login.")],
    *,
    username: Annotated[str | None, typer.Option(help="A second login.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Give it the role admin.")] = False,
) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    if sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\n")
    account_id = administration.create_account(email, username, password, admin=admin)
    say(f"Account {account_id} is made{', with the role admin' if admin else ''}.")


@accounts.command()
def disable(login: Annotated[str, typer.Argument(help="The address or the username.")]) -> None:
    """Shut an account and end its sessions at once."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    say(f"{login} is disabled; sessions ended: {administration.disable_account(login)}.")


@accounts.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines.", exists=True, dir_okay=False)],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--write", help="Only say what would happen, or do it.")
    ] = True,
    skip_bad: Annotated[
        bool, typer.Option(help="Write the good records although there are bad ones.")
    ] = False,
    written: Annotated[
        Written | None, typer.Option("--format", help="By default what the file's name says.")
    ] = None,
) -> None:
    """Bring accounts of another system in, with the hashes of their passwords.

    Every record is judged before the first is written.
    """
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    judged = administration.import_accounts(file, written, write=False)
    complain(*map(str, judged.troubles))
    counts = f"{judged.present} are there already, {judged.refused} records are bad"
    if dry_run:
        say(f"Nothing is written. {judged.imported} accounts can be imported, {counts}.")
    elif judged.refused and not skip_bad:
        fail(f"Nothing is written: {counts}. Mend them, or leave them out with --skip-bad.")
    else:
        done = administration.import_accounts(file, written, write=True)
        say(
            f"{done.imported} accounts are imported, {done.present} were there already, {done.refused} left out."
        )
    if judged.refused:
        raise typer.Exit(1)
