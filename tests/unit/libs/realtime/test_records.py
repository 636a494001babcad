"""Records of the log, out and in."""

from typing import Any

from libs.amqp import Delivery, Properties
from libs.amqp.properties import encode_properties, encode_short
from libs.realtime import records
from libs.realtime.feed import Event, Movement
from libs.realtime.protocol import ClientInfo
from libs.realtime.records import Mark, Record

TRUSTED = frozenset({"gateway"})


def delivered(
    properties: Properties,
    body: bytes,
    *,
    position: object = 7,
    exchange: str = "",
    key: str = "gatehouse.realtime",
) -> Delivery:
    headers: dict[str, Any] = dict(properties.headers or {})  # type: ignore[arg-type]
    if position is not None:
        headers["x-stream-offset"] = position
    flags, fields = encode_properties(properties._replace(headers=headers))
    address = encode_short(exchange) + encode_short(key)
    return Delivery(1, False, address, flags, fields, body, None)


def test_an_event_of_a_client_comes_back_whole() -> None:
    info = ClientInfo("42", "c1", conn_info=b'{"n":1}')
    event = Event("realtime.client.published", "room:1", b"{}", "m1", info, at=1_700_000_000)

    record = records.read(delivered(*records.message(event, user="gateway")), TRUSTED)

    assert record == Record(7, "m1", event)


def test_an_event_of_anybody_has_its_key_as_name() -> None:
    properties = Properties(headers={"channel": "public:news"})

    record = records.read(
        delivered(properties, b"{}", exchange="gatehouse.events", key="realtime.news.posted"), TRUSTED
    )

    assert record is not None
    assert isinstance(record.content, Event)
    assert (record.content.name, record.content.channel) == ("realtime.news.posted", "public:news")
    assert record.identity


def test_who_said_it_counts_only_from_those_that_are_trusted() -> None:
    event = Event("x.y", "room:1", b"{}", "m1", ClientInfo("42", "c1"))

    record = records.read(delivered(*records.message(event, user="stranger")), TRUSTED)

    assert record is not None
    assert isinstance(record.content, Event)
    assert record.content.info is None


def test_who_comes_and_goes_comes_back_whole() -> None:
    for joined in (True, False):
        movement = Movement("room:1", ClientInfo("42", "c1"), joined, "m1")

        trusted = records.read(delivered(*records.message(movement, user="gateway")), TRUSTED)
        forged = records.read(delivered(*records.message(movement, user="stranger")), TRUSTED)

        assert trusted == Record(7, "m1", movement)
        assert forged == Record(7, "m1", None)


def test_marks_count_only_from_those_that_are_trusted() -> None:
    mark = Mark("m1", "epoch", 5)

    trusted = records.read(delivered(*records.message(mark, user="gateway")), TRUSTED)
    forged = records.read(delivered(*records.message(mark, user="stranger")), TRUSTED)

    assert trusted == Record(7, "m1", mark)
    assert forged == Record(7, "m1", None)


def test_an_event_from_the_future_is_from_now() -> None:
    event = Event("x.y", "room:1", b"{}", "m1", at=99_999_999_999)

    record = records.read(delivered(*records.message(event, user="gateway")), TRUSTED)

    assert record is not None
    assert isinstance(record.content, Event)
    assert record.content.at < 99_999_999_999


def test_what_has_no_position_or_no_channel_is_no_event() -> None:
    nothing = Properties(headers={"channel": 7}, message_id="m")

    assert records.read(delivered(nothing, b"", position=None), TRUSTED) is None
    assert records.read(delivered(nothing, b""), TRUSTED) == Record(7, "m", None)


def test_an_epoch_that_is_repeated_before_what_its_author_had_read_is_another_logs() -> None:
    assert Mark("m", "e", read=4).is_true_at(5)
    assert not Mark("m", "e", read=4).is_true_at(4)
    assert Mark("m", "e").is_true_at(0)
