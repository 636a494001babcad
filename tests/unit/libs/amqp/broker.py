"""A broker for the state machines: answers by the book, without a socket."""

from collections.abc import Iterator

from pamqp import commands
from pamqp.base import Frame

from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.errors import AmqpError
from libs.amqp.methods import Method
from libs.amqp.outgoing import Outgoing
from libs.amqp.reader import FrameReader
from tests.unit.libs.amqp import wire_book


class Line:
    """A channel's line to a broker that a test plays."""

    def __init__(self, channel: ChannelProtocol, *, answers_cancel: bool = False) -> None:
        self.channel = channel
        self.outgoing = Outgoing(_nothing, _nothing)
        self.ready: list[Method | AmqpError | None] = []
        self._reader = FrameReader({channel.number: channel}, 131_072)
        channel.attach(
            self.outgoing,
            131_072,
            answers_cancel=answers_cancel,
            ready=lambda method, error: self.ready.append(error or method),
        )

    def sent(self) -> list[Frame]:
        """The methods written since the last look."""
        return [value for _, value in wire_book.sent(self.outgoing.take()) if isinstance(value, Frame)]

    def names(self) -> list[str]:
        """Their names."""
        return [method.name for method in self.sent()]

    def says(self, *methods: Frame) -> None:
        """The broker sends methods."""
        self.hears(b"".join(wire_book.method(self.channel.number, method) for method in methods))

    def hears(self, data: bytes) -> None:
        """The broker sends bytes."""
        self._reader.feed(data)

    def closes(self, code: int, text: str, blamed: type[Frame] | None = None) -> None:
        """The broker closes the channel over a method."""
        index = 0 if blamed is None else blamed.index
        self.says(commands.Channel.Close(code, text, index >> 16, index & 0xFFFF))

    def answers(self) -> list[str]:
        """Answer everything that was written, in order; tell what it was."""
        methods = self.sent()
        for method in methods:
            for answer in _answers(method):
                self.says(answer)
        return [method.name for method in methods]


def _answers(method: Frame) -> Iterator[Frame]:
    match method:
        case commands.Channel.Open():
            yield commands.Channel.OpenOk()
        case commands.Channel.Close():
            yield commands.Channel.CloseOk()
        case commands.Confirm.Select():
            yield commands.Confirm.SelectOk()
        case commands.Basic.Qos():
            yield commands.Basic.QosOk()
        case commands.Basic.Consume():
            yield commands.Basic.ConsumeOk(method.consumer_tag)
        case commands.Basic.Cancel():
            yield commands.Basic.CancelOk(method.consumer_tag)
        case commands.Queue.Declare():
            yield commands.Queue.DeclareOk(method.queue, 0, 0)
        case commands.Queue.Bind():
            yield commands.Queue.BindOk()
        case _:
            return


def _nothing() -> None:
    pass
