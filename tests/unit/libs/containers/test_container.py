from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

import pytest

from libs.app import DependencyAway
from libs.containers.container import Container, Opened, opening
from libs.messaging.memory import MemoryBus


class Resource:
    """Records its opening and its closing in a list that it shares with others."""

    def __init__(self, name: str, steps: list[str], *, hangs: bool = False, fails: bool = False) -> None:
        self._name = name
        self._steps = steps
        self._hangs = hangs
        self._fails = fails

    async def open(self) -> Self:
        self._steps.append(f"open {self._name}")
        return self

    async def close(self) -> None:
        self._steps.append(f"close {self._name}")
        if self._hangs:
            await asyncio.Event().wait()
        if self._fails:
            raise RuntimeError("cannot close")

    async def check(self) -> None:
        """It is there."""


class Flaky:
    """Is away for some attempts."""

    def __init__(self, error: Exception, *, attempts: int) -> None:
        self._error = error
        self._left = attempts
        self.attempts = 0

    async def open(self) -> Resource:
        self.attempts += 1
        self._left -= 1
        if self._left >= 0:
            raise self._error
        return Resource("flaky", [])


@dataclass(frozen=True, kw_only=True)
class Two(Container):
    """A container of two resources, the second of which may be broken."""

    first: Resource
    second: Resource

    @classmethod
    async def create(cls, steps: list[str], *, broken: bool = False) -> Self:
        async with opening() as opened:
            first = await opened.open("first", Resource("first", steps).open, probe=Resource.check)
            if broken:
                raise ValueError("no second")
            second = await opened.open(
                "second", Resource("second", steps).open, probe=Resource.check, essential=False
            )
            return cls(opened=opened, bus=MemoryBus(), first=first, second=second)


async def test_what_was_opened_is_closed_in_reverse() -> None:
    steps: list[str] = []
    container = await Two.create(steps)
    await container.close()
    assert steps == ["open first", "open second", "close second", "close first"]


async def test_closing_again_does_nothing() -> None:
    steps: list[str] = []
    container = await Two.create(steps)
    await container.close()
    await container.close()
    assert steps.count("close first") == 1


async def test_a_container_that_cannot_be_made_leaves_nothing_open() -> None:
    steps: list[str] = []
    with pytest.raises(ValueError, match="no second"):
        await Two.create(steps, broken=True)
    assert steps == ["open first", "close first"]


async def test_whoever_opens_a_resource_registers_its_probe() -> None:
    container = await Two.create([])
    assert {name: probe.essential for name, probe in container.probes.items()} == {
        "first": True,
        "second": False,
    }
    await container.probes["first"].check()


async def test_one_that_cannot_be_closed_is_not_in_the_way_of_the_others() -> None:
    steps: list[str] = []
    opened = Opened(stop_seconds=0.02)
    await opened.open("first", Resource("first", steps).open, probe=Resource.check)
    await opened.open("failing", Resource("failing", steps, fails=True).open, probe=Resource.check)
    await opened.open("hanging", Resource("hanging", steps, hangs=True).open, probe=Resource.check)
    await opened.close()
    assert steps[3:] == ["close hanging", "close failing", "close first"]


async def test_clients_are_dismissed_by_whoever_has_some() -> None:
    dismissed: list[str] = []

    async def dismiss() -> None:
        dismissed.append("clients")

    opened = Opened()
    opened.dismissing("websockets", dismiss)
    await opened.dismiss_clients()
    assert dismissed == ["clients"]


class TestRetry:
    async def test_a_dependency_that_is_away_is_tried_again(self) -> None:
        flaky = Flaky(ConnectionRefusedError("refused"), attempts=1)
        await Opened().open("flaky", flaky.open, probe=Resource.check)
        assert flaky.attempts == 2

    async def test_a_drivers_own_error_may_mean_away_too(self) -> None:
        class DriverAway(Exception):
            """Not there."""

        flaky = Flaky(DriverAway(), attempts=1)
        await Opened().open("flaky", flaky.open, probe=Resource.check, away=(DriverAway,))
        assert flaky.attempts == 2

    async def test_any_other_error_ends_the_start_at_once(self) -> None:
        flaky = Flaky(ValueError("wrong password"), attempts=1)
        with pytest.raises(ValueError, match="wrong password"):
            await Opened().open("flaky", flaky.open, probe=Resource.check)
        assert flaky.attempts == 1

    async def test_after_its_time_the_start_ends_with_one_line(self) -> None:
        flaky = Flaky(ConnectionRefusedError("refused\n  twice"), attempts=1000)
        with pytest.raises(DependencyAway) as failed:
            await Opened(start_seconds=0.6).open("redis", flaky.open, probe=Resource.check)
        assert str(failed.value) == "redis has been away for 0.6 s: refused twice"

    async def test_one_that_hangs_is_not_waited_for_longer(self) -> None:
        async def hang() -> Resource:
            await asyncio.Event().wait()
            raise AssertionError

        with pytest.raises(DependencyAway, match="TimeoutError"):
            await Opened(start_seconds=0.02).open("redis", hang, probe=Resource.check)
