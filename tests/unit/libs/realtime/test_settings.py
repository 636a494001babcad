"""The namespaces, and what may be wrong with them."""

import pytest
from pydantic import ValidationError

from libs.realtime import Namespace, RealtimeSettings


def test_what_is_shipped_lets_nobody_in_by_accident() -> None:
    shipped = RealtimeSettings().namespaces

    assert set(shipped) == {"public", "user", "room"}
    assert shipped["public"].publish == "nobody"
    assert shipped["user"].subscribe == {"owner"}
    assert shipped["room"].subscribe == {"token", "service"}
    assert Namespace().subscribe == frozenset()


def test_namespaces_are_read_from_json() -> None:
    settings = RealtimeSettings(
        GATEWAY_REALTIME_NAMESPACES='{"news": {"subscribe": ["authenticated"], "history_size": 10, "history_seconds": 60}}'
    )

    assert settings.namespaces["news"].keeps_history
    assert settings.longest_history == 60


@pytest.mark.parametrize(
    "value",
    [
        "not json",
        "[]",
        '{"a": {}}',
        '{"n:s": {}}',
        '{"news": {"subscribe": ["everybody"]}}',
        '{"news": {"recovery": true}}',
        '{"news": {"delta": true, "history_size": 1, "history_seconds": 1}}',
        '{"news": {"unknown": 1}}',
    ],
)
def test_wrong_namespaces_are_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        RealtimeSettings(GATEWAY_REALTIME_NAMESPACES=value)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ('{"chat-room": {"subscribe": ["service"]}}', "chat-room"),
        ('{"": {"subscribe": ["service"]}}', "''"),
        ('{"chat": {"subscribe": ["service"], "subscribe_operation": "NO NAME"}}', "chat"),
        ('{"chat": {"subscribe_operation": "nodot"}}', "chat"),
    ],
)
def test_a_service_that_could_never_be_asked_is_refused(value: str, named: str) -> None:
    with pytest.raises(ValidationError, match=f"{named}.*subscribe_operation"):
        RealtimeSettings(GATEWAY_REALTIME_NAMESPACES=value)


def test_a_namespace_names_whom_it_asks() -> None:
    value = '{"chat-room": {"subscribe": ["service"], "subscribe_operation": "chat.may_enter"}}'

    rules = RealtimeSettings(GATEWAY_REALTIME_NAMESPACES=value).namespaces["chat-room"]

    assert rules.operation("chat-room") == "chat.may_enter"
    assert Namespace(subscribe=frozenset({"service"})).operation("chat") == "chat.subscribe"


def test_a_client_answers_before_the_next_ping() -> None:
    with pytest.raises(ValidationError, match="PONG_TIMEOUT"):
        RealtimeSettings(ping_interval=5, pong_timeout=5)


@pytest.mark.parametrize("interval", [9, 25, 60, 600])
def test_who_answers_every_ping_stays_present(interval: float) -> None:
    assert RealtimeSettings(ping_interval=interval).presence_seconds >= 2 * interval
