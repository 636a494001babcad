from __future__ import annotations

import pytest

from libs.auth.names import email_key, is_email


@pytest.mark.parametrize(
    "email", ["ann@example.com", "ANN@Example.com", "\uff41nn@example.com", "ann@EXAMPLE\uff0ecom"]
)
def test_an_address_has_one_key_however_it_is_written(email: str) -> None:
    assert email_key(email) == "ann@example.com"


def test_a_username_is_no_address() -> None:
    assert (is_email("ann@example.com"), is_email("ann")) == (True, False)
