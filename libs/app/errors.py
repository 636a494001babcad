"""Why a service did not start, as lines for its operator."""

from __future__ import annotations

from collections.abc import Sequence


class StartFailed(Exception):
    """The service could not start: one line that says at which step, and why."""


class SettingsInvalid(StartFailed):
    """Some settings are missing or wrong: one line per value, naming the variable and never the value."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("; ".join(lines))


class DependencyAway(StartFailed):
    """A dependency did not come up within the time that a start waits for it."""
