"""`gatehouse keys`: the keys that sign access tokens."""

import typer

from apps.cli.terminal import say, table

keys = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)


@keys.command("list")
def list_keys() -> None:
    """Show the keys that are believed now, oldest first."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    table(administration.list_keys(), head=("key", "algorithm", "state", "made (UTC)"))


@keys.command("rotate")
def rotate_keys() -> None:
    """Let the next key sign and publish another one; tokens that are out stay good, nothing restarts."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    say(f"Key {administration.rotate_keys()} signs from now on.")
