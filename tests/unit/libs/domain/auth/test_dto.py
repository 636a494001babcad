from __future__ import annotations

import pytest

from libs.domain.auth import LOGIN, REFRESH, REGISTER, VALIDATE, KeySet, TokenPair
from libs.messaging import ValidationFailed

GOOD = {"email": "ann@example.com", "password": "seven green bottles"}


def register(**fields: object) -> object:
    import json

    return REGISTER.decode_request(json.dumps({**GOOD, **fields}).encode())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "ann"}, "email"),
        ({"email": "ann@"}, "email"),
        ({"email": "ann @example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"email": None}, "email"),
        ({"email": "ann@example.com\0"}, "email"),
        ({"email": "=?utf-8?q?ann?=@example.com"}, "email"),
        ({"email": "x\ufe6bb@example.com"}, "email"),
        ({"email": "x\uff20b@example.com"}, "email"),
        ({"email": "x\xb4b@example.com"}, "email"),
        ({"email": "x\uff0cb@example.com"}, "email"),
        ({"email": "x\u2026b@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"password": "ß" * 600}, "password"),
        ({"password": 12345678}, "password"),
        ({"username": "an"}, "username"),
        ({"username": "a" * 33}, "username"),
        ({"username": "_ann"}, "username"),
        ({"username": "ann@example"}, "username"),
        ({"username": "ann\n"}, "username"),
        ({"admin": True}, "admin"),
    ],
)
def test_a_field_that_does_not_fit_is_named(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        register(**fields)
    assert [error.field for error in refused.value.errors] == [field]
    assert refused.value.status == 422


@pytest.mark.parametrize("body", [b"", b"{", b'{"email": "\\ud800"}', b"\xff"])
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(ValidationFailed) as refused:
        REGISTER.decode_request(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"[]", b"null", b'"ann"', b"{}"])
def test_json_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationFailed) as refused:
        LOGIN.decode_request(body)
    assert refused.value.status == 422


def test_an_address_stays_as_it_was_typed_and_a_username_does_not() -> None:
    request = REGISTER.decode_request(
        b'{"email": "Ann@Example.COM", "password": "seven green bottles", "username": "Ann"}'
    )
    assert (request.email, request.username) == ("Ann@Example.COM", "ann")


def test_a_password_of_1024_bytes_is_accepted() -> None:
    assert register(password="x" * 1024)
    assert register(password="ß" * 512)


def test_secrets_are_not_printed() -> None:
    secrets = [
        REGISTER.decode_request(b'{"email": "ann@example.com", "password": "topsecret"}'),
        LOGIN.decode_request(b'{"login": "ann", "password": "topsecret"}'),
        REFRESH.decode_request(b'{"refresh_token": "%s"}' % (b"topsecret" * 5)[:43]),
        VALIDATE.decode_request(b'{"access_token": "topsecret"}'),
        TokenPair.model_validate(
            {
                "access_token": "topsecret",
                "expires_in": 1,
                "refresh_token": ("topsecret" * 5)[:43],
                "refresh_expires_in": 1,
                "session_id": "00000000-0000-0000-0000-000000000000",
            }
        ),
    ]
    assert "topsecret" not in repr(secrets)


def test_a_refused_password_is_not_repeated() -> None:
    with pytest.raises(ValidationFailed) as refused:
        register(password="topsec")
    assert "topsec" not in refused.value.problem().to_json().decode()


def test_a_key_set_holds_public_members_only() -> None:
    private = {
        "kty": "EC",
        "kid": "k",
        "use": "sig",
        "alg": "ES256",
        "crv": "P-256",
        "x": "x",
        "y": "y",
        "d": "d",
    }
    (key,) = KeySet.model_validate({"keys": [private]}).keys
    assert "d" not in key.model_dump()
