"""A process that ends is started again, each time after a longer delay."""

from pathlib import Path

from typing_extensions import override

from apps.cli.supervisor import Supervisor
from libs.local import Command, LocalError, Service, State


class FakeService(Service):
    """A process that lives and dies as the test says."""

    def __init__(self, name: str) -> None:
        super().__init__(State(Path("nowhere")))
        self.name = name
        self.alive = True
        self.ended: int | None = None
        self.starts = 0
        self.refuses = False

    @property
    @override
    def url(self) -> str:
        return "nowhere"

    @property
    @override
    def running(self) -> bool:
        return self.alive

    @property
    @override
    def exit_code(self) -> int | None:
        return self.ended

    @override
    def command(self) -> Command:
        raise NotImplementedError

    @override
    def answers(self) -> bool:
        return self.alive

    @override
    def spawn(self) -> None:
        self.starts += 1
        if self.refuses:
            raise LocalError("no such program")
        self.alive = True

    def die(self, exit_code: int) -> None:
        self.alive = False
        self.ended = exit_code


class Scene:
    """A supervisor, what it says, and a clock that the test moves."""

    def __init__(self, *services: FakeService) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.changes = 0
        self.supervisor = Supervisor(
            services, say=self.said.append, changed=self._change, clock=lambda: self.now
        )

    def look_at(self, now: float) -> None:
        self.now = now
        self.supervisor.look()

    def _change(self) -> None:
        self.changes += 1


def test_nothing_is_done_while_all_is_well() -> None:
    service = FakeService("gateway")
    scene = Scene(service)

    scene.look_at(1)

    assert service.starts == 0
    assert scene.said == []


def test_one_that_ends_is_started_again_after_a_moment_and_one_line_says_so() -> None:
    service = FakeService("gateway")
    scene = Scene(service)
    service.die(-9)

    scene.look_at(1.0)
    assert service.starts == 0
    scene.look_at(1.4)
    assert service.starts == 0
    scene.look_at(1.5)

    assert service.starts == 1
    assert scene.said == ["gateway was ended by SIGKILL; starting it again in 0.5 s"]
    assert scene.changes == 1


def test_delays_grow_up_to_a_bound() -> None:
    service = FakeService("auth_svc")
    scene = Scene(service)

    for step in range(9):
        service.die(1)
        scene.look_at(step * 50)
        scene.look_at(step * 50 + 40)

    delays = [float(line.split()[-2]) for line in scene.said]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert scene.said[0].startswith("auth_svc ended with status 1;")


def test_who_has_lived_long_begins_with_the_shortest_delay_again() -> None:
    service = FakeService("gateway")
    scene = Scene(service)
    for moment in (0, 100, 200):
        service.die(1)
        scene.look_at(moment)
        scene.look_at(moment + 10)

    assert [line.split()[-2] for line in scene.said] == ["0.5", "0.5", "0.5"]


def test_a_start_that_fails_is_tried_again_and_says_why() -> None:
    service = FakeService("redis")
    scene = Scene(service)
    service.die(1)
    service.refuses = True

    scene.look_at(0)
    scene.look_at(1)

    assert scene.said[1] == "redis could not be started (no such program); starting it again in 1 s"
    assert scene.changes == 0


def test_the_others_are_left_alone() -> None:
    dying, living = FakeService("gateway"), FakeService("gateway-2")
    scene = Scene(dying, living)
    dying.die(0)

    scene.look_at(1)
    scene.look_at(2)

    assert (dying.starts, living.starts) == (1, 0)
