"""The one timer of all pings."""

from typing_extensions import override

from libs.realtime.wheel import Wheel


class Member:
    """Counts what happens to it."""

    def __init__(self) -> None:
        self.spoke = 0
        self.events: list[str] = []

    def beat(self) -> None:
        self.events.append("ping")

    def expect_pong(self) -> None:
        self.events.append("pong?")


def test_each_member_is_pinged_once_a_turn_and_asked_for_the_answer_later() -> None:
    wheel = Wheel(interval=25, timeout=8)
    members = [Member() for _ in range(50)]
    for member in members:
        wheel.add(member)

    for _ in range(50 - 1):
        wheel.tick()
    assert all("ping" not in member.events for member in members)
    for _ in range(51 + 32):
        wheel.tick()

    for member in members:
        first = member.events.index("ping")
        assert member.events[first : first + 2] == ["ping", "pong?"]


def test_the_first_ping_comes_at_a_moment_of_chance() -> None:
    wheel = Wheel(interval=25, timeout=8)
    members = [Member() for _ in range(200)]
    for member in members:
        wheel.add(member)

    assert len({member.spoke for member in members}) > 20


def test_who_left_is_not_pinged() -> None:
    wheel, member = Wheel(interval=1, timeout=0.5), Member()
    wheel.add(member)
    wheel.discard(member)
    wheel.discard(member)

    for _ in range(20):
        wheel.tick()

    assert member.events == []


def test_who_leaves_while_the_wheel_turns_does_no_harm() -> None:
    wheel = Wheel(interval=1, timeout=0.5)

    class Leaver(Member):
        @override
        def beat(self) -> None:
            super().beat()
            wheel.discard(self)

    leavers = [Leaver() for _ in range(20)]
    for leaver in leavers:
        wheel.add(leaver)
    for _ in range(20):
        wheel.tick()

    assert all(leaver.events.count("ping") == 1 for leaver in leavers)
