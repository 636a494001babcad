"""`gatehouse up`: the whole platform, in the foreground until Ctrl-C or, detached, until `gatehouse down`."""

from typing import Annotated

import typer

from apps.cli.detached import start_detached
from apps.cli.foreground import Foreground
from apps.cli.interruption import Interruption
from apps.cli.record import running
from apps.cli.settings import STATE, Environment, WrongSettingsError
from apps.cli.summary import show_addresses
from apps.cli.terminal import fail, say
from libs.local import AlreadyRunningError, LocalError, LocalServices, State


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
        _up(detach=detach, workers=gateway_workers)
    except AlreadyRunningError:
        _say_running()
    except WrongSettingsError as error:
        fail(*error.lines)
    except LocalError as error:
        fail(str(error))


def _up(*, detach: bool, workers: int) -> None:
    if detach:
        start_detached(["--gateway-workers", str(workers)])
        return
    # ruff: ignore[import-outside-top-level]  the services' settings take a second to load; only `up` needs them
    from apps.cli.check import gateway_door

    environment = Environment.read()
    door = gateway_door(environment)
    with Interruption() as interruption:
        Foreground(environment, LocalServices(STATE), door, workers, interruption).run()


def _say_running() -> None:
    record = running(State(STATE))
    if record and record.ready:
        say(f"Gatehouse is running already, as process {record.pid}.")
        show_addresses(record)
    else:
        say("Gatehouse is starting already, in another process.")
