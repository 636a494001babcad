"""Errors keep their class, code and status over the wire, and nothing of their cause."""

import json

import pytest
from pydantic import BaseModel, ValidationError

from libs.messaging import (
    AppError,
    FieldError,
    Interrupted,
    Overloaded,
    Problem,
    RemoteError,
    TimedOut,
    Unavailable,
    Unreadable,
    ValidationFailed,
)


class Many(BaseModel):
    numbers: list[int]


def test_every_way_a_call_can_fail_has_a_code_of_its_own() -> None:
    failures = [Unavailable, Overloaded, TimedOut, Unreadable, Interrupted]

    assert [(one.code, one.status) for one in failures] == [
        ("rpc.unavailable", 503),
        ("rpc.overloaded", 503),
        ("rpc.timeout", 504),
        ("rpc.unreadable", 502),
        ("rpc.interrupted", 502),
    ]


def test_only_what_may_be_tried_again_says_when() -> None:
    assert [one().retry_after for one in (Unavailable, Overloaded)] == [1, 1]
    assert [one().retry_after for one in (TimedOut, Unreadable, Interrupted)] == [None, None, None]


def test_a_code_names_one_class() -> None:
    with pytest.raises(TypeError, match="TimedOut"):
        type("Second", (AppError,), {"code": "rpc.timeout", "status": 504, "title": "again"})


def test_every_class_says_a_sentence() -> None:
    assert [cls for cls in AppError.known().values() if not (cls.__doc__ or "").strip().endswith(".")] == []


def test_an_error_comes_back_as_its_class() -> None:
    sent = ValidationFailed("no", errors=[FieldError(field="email", message="is none")])

    received = AppError.from_problem(Problem.model_validate_json(sent.problem().to_json()))

    assert isinstance(received, ValidationFailed)
    assert (received.detail, received.errors, received.status) == ("no", sent.errors, 422)


def test_a_code_without_a_class_is_a_remote_error() -> None:
    received = AppError.from_problem(Problem(code="shop.closed", title="Closed", status=409, retry_after=9))

    assert isinstance(received, RemoteError)
    assert received.problem() == Problem(code="shop.closed", title="Closed", status=409, retry_after=9)


def test_a_status_that_is_no_error_is_not_a_problem() -> None:
    with pytest.raises(ValidationError):
        Problem(code="x.y", title="fine", status=200)


def test_absent_members_are_left_out() -> None:
    assert json.loads(TimedOut().problem().to_json()) == {
        "type": "about:blank",
        "code": "rpc.timeout",
        "title": "The service did not answer in time",
        "status": 504,
    }


def test_a_flood_of_field_errors_is_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        Many(numbers=["x"] * 1000)  # type: ignore[list-item]

    assert len(ValidationFailed.of(caught.value).errors) == 20
