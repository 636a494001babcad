import pytest

from libs.amqp import Delivery, MalformedMessage, Properties
from libs.amqp.acks import Acks
from libs.amqp.outgoing import Outgoing
from libs.amqp.properties import encode_properties, encode_short, flag
from tests.unit.libs.amqp import wire_book


def _delivery(properties: Properties, outgoing: Outgoing | None = None) -> Delivery:
    address = encode_short("exchange") + encode_short("key")
    acks = None if outgoing is None else Acks(1, outgoing)
    return Delivery(1, 0, address, *encode_properties(properties), b"body", acks)


def test_it_tells_its_address_and_properties() -> None:
    delivery = _delivery(Properties(correlation_id="c", headers={"a": 1}))

    assert (delivery.exchange, delivery.routing_key) == ("exchange", "key")
    assert delivery.properties == Properties(correlation_id="c", headers={"a": 1})
    assert delivery.headers == {"a": 1}
    assert repr(delivery) == "<Delivery 1 'exchange' 'key' 4 bytes>"


def test_without_headers_there_is_an_empty_table() -> None:
    delivery = _delivery(Properties())

    assert delivery.headers == {}
    assert delivery.properties == Properties()


def test_headers_that_make_no_sense_spare_the_other_properties() -> None:
    broken = _delivery(Properties(headers=b"\x00\x00\x00\x02xx", correlation_id="c"))

    assert broken.correlation_id == "c"
    with pytest.raises(MalformedMessage):
        assert broken.headers


def test_properties_that_make_no_sense_are_one_error() -> None:
    broken = Delivery(1, 0, b"\x00\x00", flag("message_id"), b"", b"body", None)

    with pytest.raises(MalformedMessage):
        assert broken.message_id


@pytest.mark.parametrize(
    ("settle", "method"), [("ack", "Basic.Ack"), ("nack", "Basic.Nack"), ("reject", "Basic.Reject")]
)
def test_each_way_to_settle_is_its_method(settle: str, method: str) -> None:
    outgoing = Outgoing(lambda: None, lambda: None)
    delivery = _delivery(Properties(), outgoing)

    getattr(delivery, settle)()

    assert delivery.settled
    assert wire_book.names(outgoing.take()) == [method]
