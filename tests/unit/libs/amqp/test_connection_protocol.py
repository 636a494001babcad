from dataclasses import dataclass, field

import pytest
from pamqp import commands
from pamqp.base import Frame

from libs.amqp import ConnectionClosed, ConnectionLost, Endpoint, ProtocolError
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.connection_protocol import ConnectionProtocol
from libs.amqp.frames import PROTOCOL_HEADER
from libs.amqp.outgoing import Outgoing
from tests.unit.libs.amqp import wire_book

Connection = commands.Connection
_ENDPOINT = Endpoint(host="broker", port=5672, vhost="shop", user="ann", password="s3cret")


@dataclass
class Owner:
    """Writes down what it is told."""

    events: list[object] = field(default_factory=list)

    def on_open(self) -> None:
        self.events.append("open")

    def on_blocked(self, reason: str | None) -> None:
        self.events.append(("blocked", reason))

    def on_closed(self, error: ConnectionLost) -> None:
        self.events.append(error)


class Peer:
    """A broker that a test plays."""

    def __init__(self, *, heartbeat: int = 20) -> None:
        self.owner = Owner()
        self.protocol = ConnectionProtocol(
            self.owner, _ENDPOINT, "name", heartbeat, Outgoing(lambda: None, lambda: None)
        )
        self.protocol.begin()
        assert self.protocol.outgoing.take() == PROTOCOL_HEADER

    def says(self, *methods: Frame) -> list[Frame]:
        """Send methods; tell what is answered."""
        for method in methods:
            self.protocol.receive(wire_book.method(0, method))
        return [
            value for _, value in wire_book.sent(self.protocol.outgoing.take()) if isinstance(value, Frame)
        ]

    def start(self, mechanisms: str = "AMQPLAIN PLAIN", **capabilities: bool) -> list[Frame]:
        return self.says(Connection.Start(0, 9, {"capabilities": dict(capabilities)}, mechanisms, "en_US"))

    def open(self) -> None:
        self.start()
        self.says(Connection.Tune(2047, 131_072, 60), Connection.OpenOk())


class TestHandshake:
    def test_it_logs_in_and_says_what_it_can(self) -> None:
        (start_ok,) = Peer().start()

        assert isinstance(start_ok, Connection.StartOk)
        assert (start_ok.mechanism, start_ok.response) == ("PLAIN", "\0ann\0s3cret")
        assert start_ok.client_properties is not None
        capabilities = start_ok.client_properties["capabilities"]
        assert isinstance(capabilities, dict)
        assert all(
            capabilities[name] for name in ("connection.blocked", "consumer_cancel_notify", "basic.nack")
        )
        assert start_ok.client_properties["connection_name"] == "name"

    @pytest.mark.parametrize(
        ("offered", "agreed"),
        [
            ((2047, 131_072, 60), (2047, 131_072, 20)),
            ((0, 0, 0), (2047, 131_072, 20)),
            ((10, 8192, 5), (10, 8192, 5)),
            ((65_535, 1_048_576, 580), (2047, 131_072, 20)),
        ],
    )
    def test_limits_are_the_smaller_ones_where_zero_means_none(
        self, offered: tuple[int, int, int], agreed: tuple[int, int, int]
    ) -> None:
        peer = Peer()
        peer.start()

        tune_ok, open_ = peer.says(Connection.Tune(*offered))

        assert isinstance(tune_ok, Connection.TuneOk)
        assert (tune_ok.channel_max, tune_ok.frame_max, tune_ok.heartbeat) == agreed
        assert isinstance(open_, Connection.Open)
        assert open_.virtual_host == "shop"

    def test_a_heartbeat_that_both_sides_do_without_is_off(self) -> None:
        peer = Peer(heartbeat=0)
        peer.start()

        tune_ok, _ = peer.says(Connection.Tune(2047, 131_072, 0))

        assert isinstance(tune_ok, Connection.TuneOk)
        assert tune_ok.heartbeat == 0

    def test_it_is_open_when_the_broker_says_so(self) -> None:
        peer = Peer()
        peer.open()

        assert peer.protocol.is_open
        assert peer.owner.events == ["open"]

    def test_a_broker_without_plain_logins_is_refused(self) -> None:
        with pytest.raises(ProtocolError, match="EXTERNAL"):
            Peer().start("EXTERNAL")

    def test_a_broker_of_another_version_is_refused(self) -> None:
        with pytest.raises(ProtocolError, match="version"):
            Peer().protocol.receive(b"AMQP\x00\x01\x00\x00")


class TestTheEnd:
    def test_the_brokers_close_is_answered_and_quoted(self) -> None:
        peer = Peer()
        peer.open()

        (answer,) = peer.says(Connection.Close(320, "CONNECTION_FORCED - shutdown", 0, 0))

        assert isinstance(answer, Connection.CloseOk)
        assert "320 CONNECTION_FORCED - shutdown" in str(peer.protocol.error)
        assert type(peer.owner.events[-1]) is ConnectionLost

    def test_our_own_close_ends_with_the_answer(self) -> None:
        peer = Peer()
        peer.open()

        peer.protocol.close()
        peer.says(Connection.CloseOk())

        assert isinstance(peer.protocol.error, ConnectionClosed)

    def test_channels_learn_of_it_and_only_the_first_error_counts(self) -> None:
        peer = Peer()
        peer.open()
        channel = ChannelProtocol(1, prefetch=0, confirming=True)
        peer.protocol.join(channel)
        channel.attach(peer.protocol.outgoing, 131_072, answers_cancel=False, ready=lambda _, __: None)

        peer.protocol.closed(ConnectionLost("first"))
        peer.protocol.closed(ConnectionLost("second"))

        assert not channel.is_attached
        assert [str(event) for event in peer.owner.events] == ["open", "first"]

    def test_a_channel_that_comes_too_late_is_told_at_once(self) -> None:
        peer = Peer()
        peer.open()
        peer.protocol.closed(ConnectionLost("gone"))

        with pytest.raises(ConnectionLost, match="gone"):
            peer.protocol.join(ChannelProtocol(1, prefetch=0, confirming=True))

    def test_publications_are_refused_from_then_on(self) -> None:
        peer = Peer()
        peer.open()

        peer.protocol.closed(ConnectionLost("gone"))

        assert peer.protocol.outgoing.obstacle is not None
        assert isinstance(peer.protocol.outgoing.obstacle(), ConnectionLost)


def test_alarms_are_passed_on() -> None:
    peer = Peer()
    peer.open()

    peer.says(Connection.Blocked("low on disk"), Connection.Unblocked())

    assert peer.owner.events[1:] == [("blocked", "low on disk"), ("blocked", None)]


@pytest.mark.parametrize(
    "method", [commands.Basic.Ack(1), commands.Queue.DeclareOk("q", 0, 0), Connection.Secure("x")]
)
def test_what_does_not_belong_on_channel_0_is_a_broken_rule(method: Frame) -> None:
    peer = Peer()
    peer.open()

    with pytest.raises(ProtocolError) as refusal:
        peer.says(method)

    assert refusal.value.code == 503


def test_a_channel_that_left_hears_nothing() -> None:
    peer = Peer()
    peer.open()
    channel = ChannelProtocol(1, prefetch=0, confirming=False)
    peer.protocol.join(channel)
    peer.protocol.leave(channel)

    with pytest.raises(ProtocolError) as refusal:
        peer.protocol.receive(wire_book.method(1, commands.Channel.OpenOk()))

    assert refusal.value.code == 504
