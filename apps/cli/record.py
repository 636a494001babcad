"""What a running `up` leaves for `status`, `down` and a second `up`: its process and the addresses of its parts."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from apps.cli.settings import STATE, Environment
from libs.local import State, write_private


class Part(BaseModel):
    """One part of the platform."""

    model_config = ConfigDict(frozen=True)

    url: str
    """Where it is, with credentials where it wants them."""
    pid: int | None = None
    """Its process, for the processes of Gatehouse itself."""
    operations: str | None = None
    """Where its health and metrics are."""


class RunRecord(BaseModel):
    """The parts by name: `gateway` (further ones `gateway-2`...), `auth_svc`, `postgres`, `rabbitmq`, `redis`, `mail`."""

    model_config = ConfigDict(frozen=True)

    pid: int
    ready: bool
    """Whether everything runs and `up` has said where: who started it detached waits for both."""
    parts: dict[str, Part] = {}
    variables: dict[str, str] = {}
    """What an operator's command must be told to reach the same platform."""

    def write(self, state: State) -> None:
        """Replace the record; only we can read it."""
        write_private(_file(state), self.model_dump_json(indent=2))

    def as_json(self) -> dict[str, dict[str, str | int]]:
        """What `status --json` prints."""
        shown = ("gateway", "auth_svc", "postgres", "rabbitmq", "redis", "mail")
        return {
            name: self.parts[name].model_dump(include={"url", "pid"}, exclude_none=True)
            for name in shown
            if name in self.parts
        }


def running(state: State) -> RunRecord | None:
    """The record of the `up` that owns the state now; None when none does, or it has not got so far."""
    if not state.is_owned():
        return None
    try:
        return RunRecord.model_validate_json(_file(state).read_text("utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def operator_variables() -> dict[str, str]:
    """What an operator's command is told: by the `up` that runs here, and before it by our own environment."""
    record = running(State(STATE))
    return {**(record.variables if record else {}), **Environment.read().variables}


def forget(state: State) -> None:
    """Nothing runs any more."""
    _file(state).unlink(missing_ok=True)


def _file(state: State) -> Path:
    return state.data / "up.json"
