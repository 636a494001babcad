"""`gatehouse keys`: the keys that sign access tokens."""

from typing import Annotated

import typer

from apps.cli.terminal import say, table

keys = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)


@keys.command("list")
def list_keys() -> None:
    """Show the keys that are believed now and those that were revoked, oldest first."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    table(administration.list_keys(), head=("key", "algorithm", "state", "made (UTC)", "signs from (UTC)"))


@keys.command("rotate")
def rotate_keys(
    *,
    now: Annotated[bool, typer.Option("--now", help="Even if verifiers may not know it yet.")] = False,
) -> None:
    """Let the next key sign and publish another one; tokens that are out stay good, nothing restarts."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    rotation = administration.rotate_keys(at_once=now)
    if rotation.done:
        say(f"Key {rotation.kid} signs from now on.")
        return
    say(f"Key {rotation.kid} signs from {administration.moment(rotation.signs_from)} UTC on, by itself:")
    say("until then others may have a copy of the public keys without it. --now does not wait for them.")


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key's name, as `gatehouse keys list` shows it.")],
) -> None:
    """Refuse every token of a key at once: for one whose private half is known to somebody else."""
    # ruff: ignore[import-outside-top-level]  the auth service's code takes a second to load
    from apps.cli import administration

    revocation = administration.revoke_key(key)
    say(f"Key {key} is revoked: gateways refuse its tokens at once and close the sockets that they opened.")
    say(f"Key {revocation.signing} signs" + (" from now on." if revocation.took_over else ", as before."))
    say("Clients go on with their refresh tokens: nobody has to sign in again. Whoever else verifies tokens")
    say("must load /.well-known/jwks.json anew; a copy of before may be believed for 5 minutes.")
