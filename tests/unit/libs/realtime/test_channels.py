"""Channel names and the rules behind them."""

import pytest

from libs.realtime.channels import Channels
from libs.realtime.codes import Disconnected, Refused
from libs.realtime.settings import Namespace

CHANNELS = Channels({"news": Namespace(), "user": Namespace(personal=True), "": Namespace(personal=True)})


@pytest.mark.parametrize(
    ("name", "namespace"), [("news:a", "news"), ("news:a:b", "news"), ("plain", ""), ("$news:a", "news")]
)
def test_the_namespace_stands_before_the_first_colon(name: str, namespace: str) -> None:
    assert CHANNELS.asked(name).namespace == namespace


@pytest.mark.parametrize(
    ("name", "code"),
    [("other:a", 102), ("x" * 256, 107), ("news:\u00fc", 107), ("news:a b", 107), ("a\n", 107)],
)
def test_what_can_be_no_channel_is_refused(name: str, code: int) -> None:
    with pytest.raises(Refused) as refused:
        CHANNELS.asked(name)

    assert refused.value.error.code == code


def test_a_command_without_a_channel_is_none() -> None:
    with pytest.raises(Disconnected) as disconnected:
        CHANNELS.asked("")

    assert disconnected.value.disconnect.code == 3501


@pytest.mark.parametrize(
    ("name", "user", "named"),
    [
        ("user:#42", "42", True),
        ("user:dialog#41,42", "42", True),
        ("user:#421", "42", False),
        ("user:#42", "", False),
        ("user:#", "", False),
        ("user:42", "42", False),
    ],
)
def test_a_channel_names_its_accounts_behind_the_hash(name: str, user: str, named: bool) -> None:
    assert CHANNELS.asked(name).names(user) is named


def test_personal_channels_are_those_of_every_namespace_that_has_them() -> None:
    assert [one.name for one in CHANNELS.personal("42")] == ["user:#42", "#42"]


@pytest.mark.parametrize("user", ["", "41,42", "a b", "x" * 300])
def test_a_user_that_no_name_can_hold_has_no_personal_channel(user: str) -> None:
    assert CHANNELS.personal(user) == []
