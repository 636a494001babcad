"""`gatehouse logs`: what the processes have written."""

import time
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from apps.cli.settings import STATE
from apps.cli.terminal import raw, say
from libs.local import State

_POLL_SECONDS = 0.3
_CHUNK = 64 * 1024


def logs(
    service: Annotated[str, typer.Argument(help="gateway, auth_svc, postgres, ... (default: all).")] = "",
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
) -> None:
    """Show the last lines of every log, or of one."""
    files = sorted(State(STATE).logs.glob("*.log"))
    names = [file.stem for file in files]
    if service and service not in names:
        raise typer.BadParameter(
            f"there is no log of {service!r}; there is: {', '.join(names) or 'none yet'}",
            param_hint="service",
        )
    chosen = [file for file in files if service in {"", file.stem}]
    for file in chosen:
        if len(chosen) > 1:
            say(f"== {file.stem}", style="bold")
        raw(_tail(file, lines))
    if follow:
        _follow(chosen)


def _tail(file: Path, lines: int) -> str:
    text = file.read_text("utf-8", errors="replace")
    return "".join(text.splitlines(keepends=True)[-lines:] if lines else [])


def _follow(files: list[Path]) -> None:
    """Until Ctrl-C; a log that begins anew is read from its beginning."""
    opened = {file.stem: file.open("rb") for file in files}
    for log in opened.values():
        log.seek(0, 2)
    try:
        while True:
            for name, log in opened.items():
                if more := _more(log):
                    prefix = f"{name}: " if len(opened) > 1 else ""
                    raw("".join(f"{prefix}{line}" for line in more.splitlines(keepends=True)))
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit from None
    finally:
        for log in opened.values():
            log.close()


def _more(log: BinaryIO) -> str:
    if log.seek(0, 1) > Path(str(log.name)).stat().st_size:
        log.seek(0)
    return log.read(_CHUNK).decode("utf-8", errors="replace")
