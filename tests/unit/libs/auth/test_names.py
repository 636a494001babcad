from __future__ import annotations

import pytest

from libs.auth.names import email_key, is_email


@pytest.mark.parametrize(
    "email", ["ann@example.com", "ANN@Example.com", "\uff41nn@example.com", "ann@EXAMPLE\uff0ecom"]
)
def test_an_address_has_one_key_however_it_is_written(email: str) -> None:
    assert email_key(email) == "ann@example.com"


@pytest.mark.parametrize(
    "email",
    [
        "a@пример.example",
        "A@ПРИМЕР.example",
        "a@xn--e1afmkfd.example",
        "a@XN--E1AFMKFD.example",
        "a@пример\u3002example",
    ],
)
def test_a_domain_has_one_key_in_every_script(email: str) -> None:
    assert email_key(email) == "a@xn--e1afmkfd.example"


@pytest.mark.parametrize(
    "email", ["a@b", "a_b@x_y.example", "@", "a@[127.0.0.1]", "a@xn--", "a@\U0001f642.example"]
)
def test_what_is_no_domain_stays_as_it_is(email: str) -> None:
    assert email_key(email) == email


def test_domains_that_only_look_alike_stay_apart() -> None:
    assert email_key("a@faß.example") != email_key("a@fass.example")


def test_an_endless_login_is_still_a_name() -> None:
    assert email_key("a@" + "ß" * 250) == "a@" + "ß" * 250


def test_a_username_is_no_address() -> None:
    assert (is_email("ann@example.com"), is_email("ann")) == (True, False)
