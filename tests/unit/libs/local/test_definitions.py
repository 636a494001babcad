"""The users of the private RabbitMQ have the rights their services need, and no others."""

import re

import pytest

from libs.local.definitions import definitions, service_permissions
from libs.messaging import topology as wire


def _allows(service: str, right: str, name: str) -> bool:
    return re.search(service_permissions(service)[right], name) is not None


@pytest.mark.parametrize("right", ["configure", "write", "read"])
@pytest.mark.parametrize(
    "name",
    [
        wire.RPC_EXCHANGE,
        wire.EVENTS_EXCHANGE,
        wire.DEAD_EXCHANGE,
        wire.REALTIME_STREAM,
        wire.rpc_queue("auth"),
        wire.rpc_queue("auth", "hashing"),
        wire.event_queue("auth"),
        wire.dead_queue("auth"),
        wire.control_queue("auth_svc-1"),
        "amq.gen-JzTY20BRgKO-HjmUJj0wLg",
    ],
)
def test_a_service_makes_fills_and_reads_what_is_its_own_or_shared(right: str, name: str) -> None:
    assert _allows("auth", right, name)


@pytest.mark.parametrize("right", ["configure", "write", "read"])
@pytest.mark.parametrize(
    "name",
    [
        wire.rpc_queue("auth"),
        wire.rpc_queue("auth", "hashing"),
        wire.event_queue("auth"),
        wire.dead_queue("auth"),
        "somebody.elses",
        "gatehouse.rpcs",
        "xgatehouse.rpc",
    ],
)
def test_a_service_cannot_touch_the_queues_of_another(right: str, name: str) -> None:
    assert not _allows("gateway", right, name)


def test_replies_go_through_the_default_exchange_which_nobody_may_change() -> None:
    assert _allows("auth", "write", "amq.default")
    assert not _allows("auth", "configure", "amq.default")


def test_a_service_whose_name_begins_like_another_is_another() -> None:
    assert not _allows("auth", "read", wire.rpc_queue("authority"))


def test_the_document_has_no_password_in_it() -> None:
    document = definitions({"gatehouse": "open sesame", "auth_svc": "abracadabra"}, ["here"])

    assert "open sesame" not in str(document)
    assert "abracadabra" not in str(document)


def test_the_same_passwords_give_the_same_document() -> None:
    users = {"gatehouse": "a", "gateway": "b"}

    assert definitions(users, ["here"]) == definitions(users, ["here"])


def test_only_the_operator_may_do_everything() -> None:
    document = definitions({"gatehouse": "a", "auth_svc": "b"}, ["here", "there"])

    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    rights = {
        (one["user"], one["vhost"]): {key: one[key] for key in everything} for one in document["permissions"]
    }
    assert rights["gatehouse", "there"] == everything
    assert rights["auth_svc", "there"] == service_permissions("auth")
    assert [user["tags"] for user in document["users"]] == [["administrator"], []]
