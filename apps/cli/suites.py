"""`gatehouse test` and `gatehouse bench`: on services of their own, never on those of `up`."""

import json
import os
import subprocess  # ruff: ignore[suspicious-subprocess-import] - runs our own benchmarks
import sys
from typing import Annotated

import typer

from apps.cli.platform import PRIVATE
from apps.cli.settings import ROOT, bare_environment
from apps.cli.terminal import complain, raw, say
from libs.local import ensure_programs


def test(context: typer.Context) -> None:
    """Run the whole suite, or what the arguments for pytest select."""
    ensure_programs([*PRIVATE, "curl"], say=say)
    os.chdir(ROOT)
    arguments = context.args or _side_by_side()
    # ruff: ignore[start-process-with-no-shell]  pytest takes our place: its signals and its status are ours
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *arguments], bare_environment())


def _side_by_side() -> list[str]:
    """For the whole suite: its files spread over processes, each with services of its own.

    Most tests wait for something most of the time, so there is one process more than there are cores.
    """
    return ["-n", str(1 + (os.cpu_count() or 1)), "--dist", "loadfile"]


def bench(
    name: Annotated[str, typer.Argument(help="One benchmark (default: all).")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One line, one object with every figure.")] = False,
) -> None:
    """Measure against the peers, in one run on this machine."""
    names = _benchmarks()
    if name and name not in names:
        raise typer.BadParameter(f"there is no {name!r}; there is: {', '.join(names)}", param_hint="name")
    ensure_programs(PRIVATE, say=complain)  # standard output is for the figures
    if name or not as_json:
        for one in [name] if name else names:
            _run(one, *(["--json"] if as_json else []))
        return
    raw(json.dumps({one: json.loads(_run(one, "--json", captured=True)) for one in names}) + "\n")


def _benchmarks() -> list[str]:
    """The modules in `benchmarks/` that can be run."""
    modules = sorted((ROOT / "benchmarks").glob("*.py"))
    return [module.stem for module in modules if "__main__" in module.read_text("utf-8")]


def _run(name: str, *options: str, captured: bool = False) -> str:
    """Run one benchmark; its standard output when captured, else it goes where ours goes."""
    done = subprocess.run(  # ruff: ignore[subprocess-without-shell-equals-true] - our own modules
        [sys.executable, "-m", f"benchmarks.{name}", *options],
        cwd=ROOT,
        env=bare_environment(),
        stdout=subprocess.PIPE if captured else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout or ""
