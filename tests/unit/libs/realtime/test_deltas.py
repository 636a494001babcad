"""Differences in place of whole publications, as the official client puts them together."""

import json
from collections.abc import Callable
from typing import cast

import pytest
from centrifuge.fossil import apply_delta
from hypothesis import given
from hypothesis import strategies as st

from libs.realtime.feed import Event
from libs.realtime.formats import JSON_MESSAGES
from libs.realtime.fossil import LARGEST, difference
from libs.realtime.hub import Hub
from libs.realtime.node import Node
from libs.realtime.protocol import Publication
from libs.realtime.settings import Namespace
from tests.unit.libs.realtime.clients import NAMESPACES, FakeClient, new_node
from tests.unit.libs.realtime.test_hub import Line, Turn

apply = cast("Callable[[bytes, bytes], bytes]", apply_delta)


class TestDifference:
    @given(
        st.binary(max_size=400), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=20)), max_size=5)
    )
    def test_makes_the_target_out_of_the_source(self, source: bytes, edits: list[tuple[int, bytes]]) -> None:
        target = source
        for at, inserted in edits:
            target = target[:at] + inserted + target[at + len(inserted) // 2 :]

        delta = difference(source, target)

        if delta is not None:
            assert len(delta) < len(target)
            assert apply(source, delta) == target

    @given(st.binary(max_size=100), st.binary(max_size=100))
    def test_of_strangers_is_right_or_none(self, source: bytes, target: bytes) -> None:
        delta = difference(source, target)

        assert delta is None or apply(source, delta) == target

    def test_of_a_small_change_is_small(self) -> None:
        source = json.dumps({"scores": list(range(500)), "leader": "ann"}).encode()
        target = source.replace(b"ann", b"bob").replace(b" 250,", b" 999,")

        delta = difference(source, target)

        assert delta is not None
        assert len(delta) < 80
        assert apply(source, delta) == target

    def test_that_would_take_too_long_is_not_looked_for(self) -> None:
        assert difference(bytes(LARGEST + 1), bytes(LARGEST + 1)) is None


def said(line: Line, previous: bytes = b"") -> tuple[list[bool], list[object]]:
    """Which publications came as differences, and all of them put together."""
    deltas, found = [], []
    for frame in line.writes:
        for message in frame.split(b"\n"):
            publication = json.loads(message)["push"]["pub"]
            text = publication["data"].encode()
            is_delta = publication.get("delta", False)
            previous = apply(previous, text) if is_delta else text
            deltas.append(is_delta)
            found.append(json.loads(previous))
    return deltas, found


class TestFanOut:
    def say(self, hub: Hub, turn: Turn, *numbers: int) -> None:
        for number in numbers:
            body = json.dumps({"filling": "x" * 100, "\u00e4": number}, ensure_ascii=False).encode()
            hub.publish("c", Publication(body))
        turn.end()

    def test_the_first_is_whole_and_the_later_ones_are_differences(self) -> None:
        turn = Turn()
        hub, line, plain = Hub(turn), Line(JSON_MESSAGES), Line(JSON_MESSAGES)
        hub.join("c", line, delta=True)
        hub.join("c", plain)

        self.say(hub, turn, 1, 2)
        self.say(hub, turn, 3)

        deltas, found = said(line)
        assert deltas == [False, True, True]
        assert [one["\u00e4"] for one in found] == [1, 2, 3]  # type: ignore[index]
        assert b'"filling"' in plain.writes[-1]
        assert hub.listeners("c") == 2

    def test_who_joins_later_starts_with_a_whole_one(self) -> None:
        turn = Turn()
        hub, early, late = Hub(turn), Line(JSON_MESSAGES), Line(JSON_MESSAGES)
        hub.join("c", early, delta=True)
        self.say(hub, turn, 1)

        hub.join("c", late, delta=True)
        self.say(hub, turn, 2, 3)

        assert said(early)[0] == [False, True, True]
        assert said(late)[0] == [False, True]

    def test_who_left_is_forgotten(self) -> None:
        turn = Turn()
        hub, line = Hub(turn), Line(JSON_MESSAGES)
        hub.join("c", line, delta=True)
        self.say(hub, turn, 1)

        hub.leave("c", line)
        self.say(hub, turn, 2)

        assert len(line.writes) == 1
        assert hub.listeners("c") == 0

    def test_a_difference_that_cuts_a_character_is_sent_whole(self) -> None:
        turn = Turn()
        hub, line = Hub(turn), Line(JSON_MESSAGES)
        hub.join("c", line, delta=True)
        for character in "\u00e4\u00f6\u00fc":
            hub.publish(
                "c", Publication(json.dumps("x" * 40 + character + "y" * 40, ensure_ascii=False).encode())
            )
        turn.end()

        assert said(line)[1] == ["x" * 40 + character + "y" * 40 for character in "\u00e4\u00f6\u00fc"]


@pytest.fixture
async def node() -> Node:
    rules = Namespace(
        subscribe=frozenset({"authenticated"}), history_size=5, history_seconds=60, recovery=True, delta=True
    )
    node = new_node(namespaces=NAMESPACES | {"delta": rules})
    await node.start()
    return node


async def test_what_was_missed_comes_as_text_too(node: Node, ann: FakeClient) -> None:
    await node.log.append(Event("x.y", "delta:a", b'{"n":1}', "m1"))

    result = await ann.ask(subscribe={"channel": "delta:a", "delta": "fossil", "recover": True})
    plain = await ann.ask(subscribe={"channel": "public:a", "delta": "fossil"})

    assert result["delta"] is True
    assert [one["data"] for one in result["publications"]] == ['{"n":1}']
    assert "delta" not in plain
    await node.stop()
