from __future__ import annotations

import json
from typing import Any

import pytest

from libs.domain.auth import UPDATE_ME, UpdateMeRequest
from libs.domain.auth.own_account import METADATA_MAX_BYTES
from libs.messaging import ValidationFailed


def test_a_change_carries_what_it_names_and_nothing_else() -> None:
    assert UPDATE_ME.encode_request(UpdateMeRequest()) == b"{}"
    assert UPDATE_ME.encode_request(UpdateMeRequest(username=None)) == b'{"username":null}'
    assert UPDATE_ME.decode_request(b'{"metadata":{}}').model_fields_set == {"metadata"}


@pytest.mark.parametrize(
    "metadata", [{}, {"theme": "dark", "seen": [1, 2.5, None, {"deep": True}]}, {"ж": "ю"}]
)
def test_metadata_are_a_json_object(metadata: dict[str, Any]) -> None:
    assert UPDATE_ME.decode_request(json.dumps({"metadata": metadata}).encode()).metadata == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        '"text"',
        "null",
        json.dumps({"a": "x" * METADATA_MAX_BYTES}),
        json.dumps({"a": "ж" * (METADATA_MAX_BYTES // 2)}, ensure_ascii=False),
        '{"a": NaN}',
        '{"a": 1e999}',
        r'{"a": "\u0000"}',
        r'{"\u0000": 1}',
        r'{"a": "\ud800"}',
        '{"a":' * 1000 + "1" + "}" * 1000,
    ],
    ids=[
        "list",
        "text",
        "null",
        "large",
        "large in bytes",
        "nan",
        "infinite",
        "zero",
        "zero key",
        "surrogate",
        "deep",
    ],
)
def test_whatever_the_database_could_not_keep_is_refused(metadata: str) -> None:
    with pytest.raises(ValidationFailed):
        UPDATE_ME.decode_request(b'{"metadata":' + metadata.encode() + b"}")


def test_a_backslash_before_u0000_is_only_text() -> None:
    body = json.dumps({"metadata": {"a": r"\u0000"}}).encode()
    assert UPDATE_ME.decode_request(body).metadata == {"a": r"\u0000"}
