"""The broker's settings are checked before anything connects."""

import pytest
from pydantic import ValidationError

from libs.messaging.settings import BrokerSettings


def settings(**values: object) -> BrokerSettings:
    return BrokerSettings.model_validate({"AMQP_URL": "amqp://gateway:secret@127.0.0.1/", **values})


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(settings())


def test_trusted_callers_are_a_list_of_names() -> None:
    assert settings(TRUSTED_CALLERS="gateway, admin").trusted_callers == {"gateway", "admin"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_HEARTBEAT", 0),
        ("RPC_MAX_IN_FLIGHT", 0),
        ("RPC_QUEUE_TYPE", "mirrored"),
        ("AMQP_HEARTBEAT", "x"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        settings(**{name: value})
