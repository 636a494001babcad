"""An event's message carries its own id, so that it may be sent twice."""

import pytest

from libs.messaging import Caller, Event, EventMessage, Reply, ValidationFailed, acting_for, new_message_id


class Said(Reply):
    words: str


NEWS = Event("realtime.news.posted", Said)
OPENED = Event("hall.opened", Said)


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_message_id() for _ in range(100)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 100


def test_a_message_carries_the_trace_of_its_caller() -> None:
    with acting_for(Caller(traceparent="00-trace-span-01")):
        message = EventMessage.of(OPENED, Said(words="hi"))

    assert (message.traceparent, message.body) == ("00-trace-span-01", b'{"words":"hi"}')


@pytest.mark.parametrize(("event", "channel"), [(NEWS, ""), (OPENED, "public:news")])
def test_a_channel_goes_with_client_facing_events_only(event: Event[Said], channel: str) -> None:
    with pytest.raises(ValueError, match="channel"):
        EventMessage.of(event, Said(words="hi"), channel=channel)


def test_a_channels_name_is_bounded_in_bytes() -> None:
    longest = "é" * 127
    assert EventMessage.of(NEWS, Said(words="hi"), channel=longest).channel == longest

    with pytest.raises(ValidationFailed) as caught:
        EventMessage.of(NEWS, Said(words="hi"), channel=longest + "éé")

    assert [one.field for one in caught.value.errors] == ["channel"]
