"""`gatehouse status`: what runs, where, and whether it is well."""

import json
import socket
from typing import Annotated
from urllib.parse import urlsplit

import typer

from apps.cli.app_process import missing_of
from apps.cli.record import Part, running
from apps.cli.settings import STATE
from apps.cli.terminal import fail, raw, table, without_password
from libs.local import State

_ANSWER_SECONDS = 2.0
_PORTS = {
    "postgresql": 5432,
    "amqp": 5672,
    "amqps": 5671,
    "redis": 6379,
    "rediss": 6379,
    "smtp": 587,
    "smtps": 465,
}


def status(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One object with every address, passwords included.")
    ] = False,
) -> None:
    """Show what `up` runs. Ends with status 1 when nothing runs."""
    record = running(State(STATE))
    if record is None:
        fail("Gatehouse is not running. Start it: ./gatehouse up")
    if as_json:
        raw(json.dumps(record.as_json()) + "\n")
        return
    rows = [
        (name, _health(part), without_password(part.url), str(part.pid or ""), part.operations or "")
        for name, part in record.parts.items()
    ]
    table(rows, head=("part", "state", "address", "process", "health and metrics"))


def _health(part: Part) -> str:
    if part.operations is None:
        return "answers" if _listens(part.url) else "does not answer"
    missing = missing_of(part.operations)
    if missing is None:
        return "does not answer"
    return f"not ready: {', '.join(missing)}" if missing else "ready"


def _listens(url: str) -> bool:
    """Whether somebody listens there; several addresses are tried in their order."""
    for one in url.split(","):
        address = urlsplit(one.strip())
        port = address.port or _PORTS.get(address.scheme.partition("+")[0], 0)
        try:
            socket.create_connection((address.hostname or "127.0.0.1", port), timeout=_ANSWER_SECONDS).close()
        except OSError:
            continue
        return True
    return False
