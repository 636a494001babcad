from __future__ import annotations

import pytest

from libs.auth.context_words import made_of

ANN = ("ann.lee@example.com", "ann")


@pytest.mark.parametrize(
    "password",
    [
        "ann.lee@example.com",
        "ann.lee@example.com1",
        "example.com2024",
        "!!example123",
        "annannann",
        "ann12345",
        "ann.lee.1990",
    ],
)
def test_what_is_known_about_an_account_is_no_password(password: str) -> None:
    assert made_of(password, ANN)


@pytest.mark.parametrize(
    "password", ["seven green bottles", "joanna miller", "an example of green", "12345678", "leelanders"]
)
def test_a_password_may_hold_such_a_word_beside_others(password: str) -> None:
    assert not made_of(password, ANN)


def test_nothing_known_is_nothing_refused() -> None:
    assert not made_of("seven green bottles", [])
    assert not made_of("seven green bottles", [""])
