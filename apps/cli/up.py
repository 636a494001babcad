"""`gatehouse up`: the whole platform, in the foreground until Ctrl-C or, detached, until `gatehouse down`."""

import json
import sys
from typing import Annotated

import typer

from apps.cli.detached import start_detached
from apps.cli.foreground import Foreground
from apps.cli.interruption import Interruption
from apps.cli.platform import Door
from apps.cli.record import running
from apps.cli.settings import ROOT, STATE, Environment, WrongSettingsError
from apps.cli.summary import show_addresses
from apps.cli.terminal import say
from libs.local import AlreadyRunningError, LocalServices, State, run_tool


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once everything is ready, and leave it running.")
    ] = False,
    gateway_workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes of the gateway; they share one port.")
    ] = 1,
) -> None:
    """Start everything, wait until it is ready, print where it is. Ctrl-C stops it all in order."""
    try:
        if detach:
            start_detached(["--gateway-workers", str(gateway_workers)])
        else:
            _run(gateway_workers)
    except AlreadyRunningError:
        _say_running()


def _run(workers: int) -> None:
    environment = Environment.read()
    door = _checked(environment)
    with Interruption() as interruption:
        Foreground(environment, LocalServices(STATE), door, workers, interruption).run()


def _checked(environment: Environment) -> Door:
    """Where the gateway is to listen; raises `WrongSettingsError` with the lines of all that is wrong."""
    command = [sys.executable, "-m", "apps.cli.check"]
    report = json.loads(run_tool(command, env=environment.merged({}), cwd=ROOT))
    if report["lines"]:
        raise WrongSettingsError(report["lines"])
    return Door(report["host"], report["port"], explicit=environment.get("GATEWAY_PORT") is not None)


def _say_running() -> None:
    record = running(State(STATE))
    if record and record.ready:
        say(f"Gatehouse is running already, as process {record.pid}.")
        show_addresses(record)
    else:
        say("Gatehouse is starting already, in another process.")
