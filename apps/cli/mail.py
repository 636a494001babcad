"""`gatehouse mail`: what auth_svc has sent to the local mail sink."""

import json
from typing import Annotated, Any

import typer

from apps.cli.settings import STATE, Environment
from apps.cli.terminal import fail, raw, say, table
from libs.local import Mail, State, mailbox_of

_SHOWN_HEADERS = ("From", "To", "Subject", "Date")


def mail(
    number: Annotated[int | None, typer.Argument(min=1, help="Show this message whole.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object per message, in one list.")] = False,
) -> None:
    """Show the messages that the local mail sink has, oldest first, or one of them whole."""
    mailbox = mailbox_of(State(STATE))
    if number is not None:
        one = mailbox.one(number)
        if one is None:
            fail(f"There is no message {number}. List them: ./gatehouse mail")
        raw(json.dumps(_object(one)) + "\n" if as_json else _whole(one))
        return
    found = mailbox.all()
    if as_json:
        raw(json.dumps([_object(one) for one in found]) + "\n")
    elif found:
        rows = [(str(one.number), _time(one), one.recipient, one.subject) for one in found]
        table(rows, head=("number", "received (UTC)", "to", "subject"))
    else:
        say(_why_none())


def _why_none() -> str:
    if Environment.read().get("AUTH_SMTP_URL"):
        return "There is no mail here: AUTH_SMTP_URL leads to another mail server."
    return "There is no mail yet."


def _object(one: Mail) -> dict[str, Any]:
    return {
        "number": one.number,
        "received": one.received.isoformat(),
        "from": str(one.message.get("From", "")),
        "to": one.recipient,
        "subject": one.subject,
        "text": one.body("plain"),
        "html": one.body("html"),
    }


def _whole(one: Mail) -> str:
    """Headers and both bodies, decoded."""
    headers = [f"{name}: {one.message[name]}" for name in _SHOWN_HEADERS if one.message[name]]
    parts = ["\n".join(headers), one.body("plain").strip(), one.body("html").strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _time(one: Mail) -> str:
    return f"{one.received:%Y-%m-%d %H:%M:%S}"
