"""Fan-out: one encoding, one write per turn."""

from collections.abc import Callable, Sequence

import pytest
from typing_extensions import override

from libs.realtime.codes import UNSUBSCRIBED_EXPIRED
from libs.realtime.formats import JSON_MESSAGES, JSON_SOCKET, MessageFormat
from libs.realtime.hub import Hub
from libs.realtime.json_codec import JsonCodec
from libs.realtime.line import Format
from libs.realtime.protocol import ClientInfo, Join, Publication, Push


class Line:
    """Remembers its writes."""

    def __init__(self, line_format: Format = JSON_MESSAGES) -> None:
        self.format = line_format
        self.due: list[bytes] = []
        self.writes: list[bytes] = []
        self.write: Callable[[bytes], object] = self.writes.append
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Turn:
    """A turn of the event loop that ends when told."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def __call__(self, callback: Callable[[], None]) -> None:
        self.due.append(callback)

    def end(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


class CountingCodec(JsonCodec):
    """Counts how often a push is encoded."""

    def __init__(self) -> None:
        self.pushes = 0

    @override
    def push(self, channel: str, push: Push) -> bytes:
        self.pushes += 1
        return super().push(channel, push)


def said(*data: str) -> Sequence[Publication]:
    return [Publication(b'"%b"' % one.encode()) for one in data]


def test_a_publication_is_encoded_once_and_its_bytes_are_shared() -> None:
    turn = Turn()
    hub, codec = Hub(turn), CountingCodec()
    line_format = MessageFormat(codec)
    lines = [Line(line_format) for _ in range(100)]
    for line in lines:
        hub.join("news", line)

    hub.publish("news", Publication(b"1"))
    turn.end()

    assert codec.pushes == 1
    assert len({id(line.writes[0]) for line in lines}) == 1


def test_what_is_due_in_one_turn_leaves_in_one_write() -> None:
    turn = Turn()
    hub, line = Hub(turn), Line()
    hub.join("a", line)
    hub.join("b", line)

    hub.send(line, b'{"id":1}')
    for publication in said("x", "y"):
        hub.publish("a", publication)
    hub.publish("b", Publication(b'"z"'))
    assert len(turn.due) == 1
    turn.end()

    assert b"".join(line.writes) == (
        b'{"id":1}\n'
        b'{"push":{"channel":"a","pub":{"data":"x"}}}\n'
        b'{"push":{"channel":"a","pub":{"data":"y"}}}\n'
        b'{"push":{"channel":"b","pub":{"data":"z"}}}'
    )
    assert len(line.writes) == 1


def test_who_joins_gets_nothing_of_what_was_due_already() -> None:
    turn = Turn()
    hub, early, late = Hub(turn), Line(), Line()
    hub.join("news", early)
    hub.publish("news", Publication(b"1"))

    hub.join("news", late)
    hub.publish("news", Publication(b"2"))
    turn.end()

    assert b'"data":1' in early.writes[0]
    assert late.writes == [b'{"push":{"channel":"news","pub":{"data":2}}}']


def test_who_left_gets_nothing() -> None:
    turn = Turn()
    hub, line = Hub(turn), Line()
    hub.join("news", line)
    hub.publish("news", Publication(b"1"))

    hub.leave("news", line)
    hub.leave("news", line)
    turn.end()

    assert line.writes == []
    assert hub.listeners("news") == 0


def test_only_watchers_are_told_who_comes() -> None:
    turn = Turn()
    hub, watcher, other = Hub(turn), Line(), Line()
    hub.join("room", watcher, watching=True)
    hub.join("room", other)

    hub.tell("room", Join(ClientInfo("42", "c1")))
    turn.end()

    assert watcher.writes == [b'{"push":{"channel":"room","join":{"info":{"user":"42","client":"c1"}}}}']
    assert other.writes == []


def test_a_channel_without_listeners_costs_nothing() -> None:
    turn = Turn()
    hub = Hub(turn)

    hub.publish("nobody", Publication(b"1"))
    hub.tell("nobody", UNSUBSCRIBED_EXPIRED)

    assert turn.due == []


def test_lines_of_different_kinds_get_frames_of_their_own() -> None:
    turn = Turn()
    hub, plain, socket = Hub(turn), Line(), Line(JSON_SOCKET)
    hub.join("news", plain)
    hub.join("news", socket)

    hub.publish("news", Publication(b"1"))
    turn.end()

    assert socket.writes == [b"\x81" + bytes([len(plain.writes[0])]) + plain.writes[0]]


def broken(_frames: bytes) -> None:
    raise RuntimeError("the line is gone")


@pytest.mark.parametrize("answers", [0, 1], ids=["publication alone", "with an answer"])
def test_a_line_that_breaks_costs_itself_alone(answers: int) -> None:
    turn = Turn()
    hub, lines = Hub(turn), [Line() for _ in range(5)]
    lines[2].write = broken
    for line in lines:
        hub.join("news", line)

    for _ in range(answers):
        hub.send(lines[2], b'{"id":1}')
    hub.publish("news", Publication(b"1"))
    turn.end()
    hub.publish("news", Publication(b"2"))
    turn.end()

    assert [len(line.writes) for line in lines] == [2, 2, 0, 2, 2]
    assert [line.aborted for line in lines] == [False, False, True, False, False]
    assert lines[2].due == []


def test_a_burst_is_joined_into_frames_of_sixteen() -> None:
    messages = [b"%d" % n for n in range(20)]

    first, second = b"\n".join(messages[:16]), b"\n".join(messages[16:])

    assert JSON_SOCKET.frames(messages) == (
        b"\x81" + bytes([len(first)]) + first + b"\x81" + bytes([len(second)]) + second
    )
