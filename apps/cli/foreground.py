"""One run of the platform in this process: install, start, watch, stop."""

import os
import socket
import sys
import time
from collections.abc import Iterable

import typer

from apps.cli.interruption import Interrupted, Interruption
from apps.cli.platform import Door, Platform, private_services
from apps.cli.record import RunRecord, forget
from apps.cli.settings import ROOT, Environment
from apps.cli.summary import show_addresses, show_first_steps
from apps.cli.supervisor import Supervisor
from apps.cli.terminal import complain, say, step, waiting
from libs.local import (
    LocalError,
    LocalServices,
    Service,
    bound_logs,
    ensure_programs,
    free_port,
    is_free,
    reserve,
    run_aloud,
)

_LOOK_SECONDS = 0.2
_MIGRATION_SECONDS = 300.0


class Foreground:
    """What `up` does between the command line and its end."""

    def __init__(
        self,
        environment: Environment,
        local: LocalServices,
        door: Door,
        workers: int,
        interruption: Interruption,
    ) -> None:
        self._environment = environment
        self._local = local
        self._door = door
        self._workers = workers
        self._interruption = interruption
        self._began = time.monotonic()
        self._reservation: socket.socket | None = None
        self._platform: Platform | None = None

    def run(self) -> None:
        """Everything up, until a signal; then everything down, in order, whatever has happened.

        Ends the command with status 1 when something could not be started.
        """
        failed = False
        try:
            with self._interruption.breaking_in():
                self._prepare()
                platform = self._composed()
                self._start(platform)
            self._watch(platform)
        except Interrupted:
            pass  # what has been started is stopped like everything else
        except LocalError as error:
            failed = True
            complain(str(error))
        finally:
            self._stop()
        if failed:
            raise typer.Exit(1)

    def _prepare(self) -> None:
        RunRecord(pid=os.getpid(), ready=False).write(self._local.state)
        if self._local.orphans_ended:
            say(f"Ended what an earlier run left behind: {', '.join(self._local.orphans_ended)}.")
        with waiting("programs"):
            ensure_programs(private_services(self._environment), say=say)

    def _composed(self) -> Platform:
        """What is to run, with the port where clients come in held for it."""
        door = self._held_door()
        self._platform = Platform(self._environment, self._local, door, self._workers)
        return self._platform

    def _held_door(self) -> Door:
        """A free door, of which another `up` that starts at the same time is not given the port."""
        while True:
            door = self._free_door()
            self._reservation = reserve(door.port, door.host)
            if self._reservation or is_free(door.port, door.host):
                return door

    def _free_door(self) -> Door:
        """The door with a port that is free now; LocalError when the user asked for one that is not."""
        door = self._door
        if door.port and is_free(door.port, door.host):
            return door
        if door.port and door.explicit:
            raise LocalError(f"GATEWAY_PORT: port {door.port} is taken by another program")
        chosen = free_port()
        if door.port:
            say(f"Port {door.port} is taken by another program; the gateway listens on {chosen}.")
        return Door(door.host, chosen, explicit=False)

    def _start(self, platform: Platform) -> None:
        """Services side by side, migrations as soon as PostgreSQL answers, then Gatehouse's own processes."""
        for service in platform.private:
            service.spawn()
        quick = [service for service in platform.private if service is not self._local.rabbitmq]
        for service in quick:
            self._await(service)
        self._migrate(platform)
        for service in platform.private:
            if service not in quick:
                self._await(service)
        processes = [platform.auth, *platform.gateways]
        for process in processes:
            process.spawn()
        for process in processes:
            self._await(process)
        record = platform.record(os.getpid(), ready=False)
        record.write(self._local.state)  # before the words, whose reader may ask for the status at once
        show_addresses(record)
        required = self._environment.get("AUTH_EMAIL_VERIFICATION") == "required"
        show_first_steps(record, verified_first=required)
        platform.record(os.getpid(), ready=True).write(self._local.state)

    def _await(self, service: Service) -> None:
        with waiting(service.name):
            service.wait_ready()
        step(service.name, "ready", f"{time.monotonic() - self._began:.1f} s")

    def _migrate(self, platform: Platform) -> None:
        with waiting("migrations"):
            run_aloud(
                [sys.executable, "-m", "apps.cli.cli_main", "migrate"],
                env=self._environment.merged(platform.operator_variables),
                cwd=ROOT,
                seconds=_MIGRATION_SECONDS,
                said=say,
            )
        step("migrations", "done", f"{time.monotonic() - self._began:.1f} s")

    def _watch(self, platform: Platform) -> None:
        supervisor = Supervisor(
            [service for tier in platform.tiers for service in tier],
            say=say,
            changed=lambda: platform.record(os.getpid(), ready=True).write(self._local.state),
        )
        while not self._interruption.wait(_LOOK_SECONDS):
            supervisor.look()
            bound_logs(self._local.state.logs)

    def _stop(self) -> None:
        """Tier after tier, all of a tier together."""
        if self._platform:
            say("\nStopping.")
            for tier in self._platform.tiers:
                _stop_together(tier)
        forget(self._local.state)
        self._local.stop()
        if self._reservation:
            self._reservation.close()


def _stop_together(tier: Iterable[Service]) -> None:
    running = [service for service in tier if service.running]
    for service in running:
        service.ask_to_stop()
    for service in running:
        service.stop()
        step(service.name, "stopped")
