from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from libs.auth.settings import HousekeepingSettings, KeySettings, PasswordSettings, SessionSettings

GOOD = "A" * 43 + "="


def test_the_keys_that_seal_are_not_printed() -> None:
    assert GOOD not in repr(KeySettings.model_validate({"AUTH_KEY_ENCRYPTION_KEYS": GOOD}))


def test_a_wrong_key_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        KeySettings.model_validate({"AUTH_KEY_ENCRYPTION_KEYS": "bm90IDMyIGJ5dGVz"})
    assert "bm90IDMyIGJ5dGVz" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (SessionSettings, {"AUTH_ACCESS_TOKEN_SECONDS": 1}),
        (SessionSettings, {"AUTH_REFRESH_GRACE_SECONDS": 301}),
        (PasswordSettings, {"AUTH_PASSWORD_MIN_LENGTH": 7}),
        (PasswordSettings, {"AUTH_HASH_MEMORY": 1024}),
        (HousekeepingSettings, {"AUTH_SESSION_RETENTION": 60}),
    ],
)
def test_what_would_be_unsafe_is_refused(section: type[Any], values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        section.model_validate(values)
