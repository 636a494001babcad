"""What the command reads from the environment and from `.env`, and what it hands to the processes it starts."""

import os
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

ROOT: Final = Path(__file__).resolve().parents[2]
"""The repository: `.env`, `.gatehouse` and the packages lie here."""

STATE: Final = ROOT / ".gatehouse"
"""Where the private services of this repository keep what they must not forget."""

_OF_THE_PLATFORM: Final = (
    "AMQP_",
    "AUTH_",
    "DATABASE_",
    "DRAIN_TIMEOUT",
    "EVENT_TIMEOUT",
    "GATEWAY_",
    "LOG_",
    "MIGRATION_DATABASE_URL",
    "OUTBOX_",
    "REDIS_",
    "RPC_",
    "TRUSTED_CALLERS",
)


class WrongSettingsError(Exception):
    """Some settings are missing or wrong: one line per value, naming the variable and never the value."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Environment:
    """The variables as they stand in the environment, else in `.env`; an empty one counts as absent."""

    variables: Mapping[str, str]
    written: frozenset[str] = frozenset()
    """The names that `.env` has; in it a name of ours that nobody knows is a mistake."""

    @classmethod
    def read(cls) -> "Environment":
        """As it is now; raises `WrongSettingsError` when `.env` cannot be read."""
        try:
            written = dotenv_values(ROOT / ".env", encoding="utf-8")
        except UnicodeDecodeError:
            raise WrongSettingsError([".env: is not UTF-8 text"]) from None
        given = {name: value for name, value in os.environ.items() if value}
        found = {name: value for name, value in written.items() if value} | given
        return cls(found, frozenset(written))

    def mistaken(self, known: Collection[str]) -> list[str]:
        """One line for each name in `.env` that looks like ours and is not ``known``."""
        strange = sorted(name for name in self.written - set(known) if name.startswith(_OF_THE_PLATFORM))
        return [f"{name}: there is no setting of this name{_near(name, known)}" for name in strange]

    def get(self, name: str) -> str | None:
        """A variable's value, None when it is not set."""
        return self.variables.get(name)

    def merged(self, ours: Mapping[str, str], *, without: tuple[str, ...] = ()) -> dict[str, str]:
        """The environment of a child: everything we were given, ours on top, without what is not for it."""
        return {name: value for name, value in {**self.variables, **ours}.items() if name not in without}


def _near(name: str, known: Collection[str]) -> str:
    found = get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def bare_environment() -> dict[str, str]:
    """Our environment without anything that would lead a test or a benchmark to the services of `up`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_PLATFORM)}


@contextmanager
def as_environment(variables: Mapping[str, str]) -> Generator[None]:
    """Let settings be read for the length of the block as a child with these variables would read them."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
