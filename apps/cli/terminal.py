"""What the user sees: calm lines, the same on a terminal and in a file, colour only where there is one."""

import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

_out = Console(highlight=False, soft_wrap=True)
_err = Console(highlight=False, soft_wrap=True, stderr=True)


def say(text: str = "", *, style: str = "") -> None:
    """One line for the user."""
    _out.print(Text(text, style=style))


def step(name: str, state: str, detail: str = "") -> None:
    """One aligned line about a part of the platform."""
    line = Text.assemble("  ", (f"{name:<12}", "bold"), (f"{state:<10}", "green"), detail)
    line.rstrip()
    _out.print(line)


@contextmanager
def waiting(what: str) -> Generator[None]:
    """Show on a terminal that something takes its time."""
    if not _out.is_terminal:
        yield
        return
    with _out.status(Text(what, style="dim"), spinner="line"):
        yield


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str] = ()) -> None:
    """Aligned columns, each row one line however narrow the terminal: an address must stay whole to be copied."""
    shown = [head, *rows] if head else rows
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    for row in shown:
        line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(f"  {line.rstrip()}", style="dim" if row is head else "")


def raw(text: str) -> None:
    """Text exactly as it is, for a machine or from another process."""
    sys.stdout.write(text)
    sys.stdout.flush()


def fail(*lines: str) -> NoReturn:
    """End the command with status 1, saying why on standard error, one thing per line."""
    complain(*lines)
    raise typer.Exit(1)


def complain(*lines: str) -> None:
    """Say on standard error what is wrong, one thing per line."""
    for line in lines:
        _err.print(Text(line, style="red" if _err.is_terminal else ""))


def without_password(url: str) -> str:
    """A URL, or several separated by commas, fit to be shown."""
    shown = re.sub(r"://([^:/@,]*):[^@,]*@", lambda found: f"://{found[1]}@" if found[1] else "://", url)
    return re.sub(r"([?&]password=)[^&,]*", r"\1...", shown)
