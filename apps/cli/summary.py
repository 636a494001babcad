"""What the user is told about a platform that runs: its addresses, and three lines to try it."""

import sys

from apps.cli.record import RunRecord
from apps.cli.terminal import say, table, without_password

_EMAIL, _PASSWORD = "ann@example.com", "seven green bottles"
_ACCOUNT = f'{{"email": "{_EMAIL}", "password": "{_PASSWORD}"}}'
_LOGIN = f'{{"login": "{_EMAIL}", "password": "{_PASSWORD}"}}'
_JSON = "-H 'content-type: application/json'"


def show_addresses(record: RunRecord) -> None:
    """Each part with its address; passwords are for `status --json` alone."""
    say()
    rows = []
    for name, part in record.parts.items():
        operations = f"health and metrics: {part.operations}" if part.operations != part.url else ""
        rows.append((name, without_password(part.url), operations if part.operations else ""))
    table(rows)


def show_first_steps(record: RunRecord, *, verified_first: bool = False) -> None:
    """Lines that work when they are pasted into a shell.

    With ``verified_first`` the account is an operator's: nobody signs in who has registered and not yet read a letter.
    """
    url = f"{record.parts['gateway'].url}/v1/auth"
    say("\nTry it:\n", style="bold")
    if verified_first:
        say(f"echo '{_PASSWORD}' | ./gatehouse accounts create {_EMAIL}")
    else:
        say(f"curl -sw '\\n' {url}/register {_JSON} -d '{_ACCOUNT}'")
    pick = 'sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\''
    say(f"TOKEN=$(curl -s {url}/login {_JSON} -d '{_LOGIN}' | {pick})")
    say(f"curl -sw '\\n' {url}/me -H \"authorization: Bearer $TOKEN\"")
    say(f"\nAll operations: {record.parts['gateway'].url}/docs")
    ctrl_c = "Ctrl-C or " if sys.stdout.isatty() else ""
    say(f"Logs: ./gatehouse logs. Stop: {ctrl_c}./gatehouse down.")
