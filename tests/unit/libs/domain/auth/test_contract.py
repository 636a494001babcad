from __future__ import annotations

from libs.domain import EVENTS, OPERATIONS
from libs.domain.auth import HASHING, LOGIN, LOGOUT, ME, REFRESH, REGISTER, VALIDATE
from libs.messaging import AUTHENTICATED, PUBLIC, SERVICES


def test_names_are_unique_and_of_the_service_that_answers() -> None:
    names = [one.name for one in (*OPERATIONS, *EVENTS)]
    assert len(names) == len(set(names))
    assert {operation.service for operation in OPERATIONS} == {"auth"}


def test_faces_are_unique() -> None:
    faces = [(one.http.method, one.http.path) for one in OPERATIONS if one.http]
    assert len(faces) == len(set(faces))


def test_who_may_call() -> None:
    assert {one.access for one in (REGISTER, LOGIN, REFRESH)} == {PUBLIC}
    assert {one.access for one in (LOGOUT, ME)} == {AUTHENTICATED}
    assert VALIDATE.access is SERVICES


def test_tokens_are_never_stored_on_the_way() -> None:
    assert all(one.http and one.http.no_store for one in (LOGIN, REFRESH))


def test_whatever_hashes_waits_in_a_lane_of_its_own() -> None:
    assert {one.name for one in OPERATIONS if one.lane == HASHING} >= {
        "auth.register",
        "auth.login",
        "auth.change_password",
        "auth.delete_me",
    }


def test_every_operation_with_a_face_is_documented() -> None:
    assert all(one.summary for one in OPERATIONS)
    assert all(one.request.model_json_schema() and one.reply.model_json_schema() for one in OPERATIONS)
