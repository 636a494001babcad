from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from libs.messaging import FieldError
from tests.unit.libs.app.asgi import Answer, ask
from tests.unit.libs.gateway import operations as notes
from tests.unit.libs.gateway.door import Door

JSON = ("content-type", "application/json")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """The notes behind the gate."""
    door = Door(notes.OPERATIONS, max_body=200)
    await door.bus.serve(notes.handlers())
    yield door
    await door.bus.close()


def saw(answer: Answer) -> object:
    assert answer.status in {200, 201}, answer.body
    return json.loads(json.loads(answer.body)["saw"])


def errors(answer: Answer) -> list[FieldError]:
    assert answer.status == 422, answer.body
    return [FieldError.model_validate(one) for one in json.loads(answer.body)["errors"]]


class TestBody:
    async def add(self, door: Door, *pieces: bytes, **headers: str) -> Answer:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return await ask(door.app, "POST", "/v1/notes", headers=[door.bearer(), *named], body=pieces)

    async def test_it_goes_on_as_it_is_in_however_many_pieces(self, door: Door) -> None:
        answer = await self.add(door, b'{"text"', b':"mi', b'lk"}', content_type="application/json")
        assert saw(answer) == {"text": "milk"}

    @pytest.mark.parametrize(
        "media_type", ["application/json; charset=utf-8", "Application/JSON", " application/json ;x=y"]
    )
    async def test_json_is_known_by_its_type_whatever_its_parameters(
        self, door: Door, media_type: str
    ) -> None:
        assert (await self.add(door, b'{"text":"milk"}', content_type=media_type)).status == 201

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"content_type": "text/plain"},
            {"content_type": "application/x-www-form-urlencoded"},
            {"content_type": "application/json", "content_encoding": "gzip"},
            {"content_type": "application/json", "content_encoding": "identity"},
        ],
        ids=["none", "text", "form", "gzip", "identity"],
    )
    async def test_anything_else_is_an_unsupported_media_type(
        self, door: Door, headers: dict[str, str]
    ) -> None:
        answer = await self.add(door, b'{"text":"milk"}', **headers)
        assert answer.status == 415
        assert json.loads(answer.body)["code"] == "http.unsupported_media_type"

    async def test_a_large_one_is_refused_before_it_is_read(self, door: Door) -> None:
        answer = await self.add(door, b"{}", content_type="application/json", content_length="201")
        assert answer.status == 413

    async def test_one_that_grows_too_large_is_refused(self, door: Door) -> None:
        answer = await self.add(door, *[b"x" * 50] * 5, content_type="application/json")
        assert answer.status == 413

    async def test_a_request_without_fields_needs_none(self, door: Door) -> None:
        headers = [door.bearer(scope="notes.clear")]
        assert (await ask(door.app, "POST", "/v1/clear", headers=headers)).status == 204

    async def test_but_what_is_sent_is_looked_at(self, door: Door) -> None:
        headers = [door.bearer(scope="notes.clear"), JSON]
        answer = await ask(door.app, "POST", "/v1/clear", headers=headers, body=[b'{"all": true}'])
        assert [error.field for error in errors(answer)] == ["all"]

    async def test_a_client_that_leaves_in_the_middle_gets_no_answer(self, door: Door) -> None:
        sent: list[Message] = []
        arriving: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> Message:
            return arriving.pop() if arriving else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        name, token = door.bearer()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/notes",
            "query_string": b"",
            "headers": [(name.encode(), token.encode()), (b"content-type", b"application/json")],
            "client": ("192.0.2.1", 1),
        }
        await door.app(scope, receive, send)
        assert sent == []


class TestParameters:
    async def ask(self, door: Door, path: str, query: str = "", method: str = "GET") -> Answer:
        return await ask(door.app, method, path, query=query, headers=[door.bearer()])

    async def test_the_path_fills_the_request(self, door: Door) -> None:
        assert saw(await self.ask(door, "/v1/notes/7")) == {"id": 7}

    async def test_so_does_the_query(self, door: Door) -> None:
        answer = await self.ask(door, "/v1/notes", "text=milk%20%26+more&limit=3&tags=a&tags=b")
        assert saw(answer) == {"text": "milk & more", "limit": 3, "tags": ["a", "b"]}

    async def test_a_list_may_have_one_member(self, door: Door) -> None:
        assert saw(await self.ask(door, "/v1/notes", "text=x&tags=a")) == {
            "text": "x",
            "limit": 10,
            "tags": ["a"],
        }

    @pytest.mark.parametrize(
        ("path", "query", "field"),
        [
            ("/v1/notes/seven", "", "id"),
            ("/v1/notes/7", "text=x", "text"),
            ("/v1/notes", "", "text"),
            ("/v1/notes", "text=a&text=b", "text"),
            ("/v1/notes", "text=a&limit=many", "limit"),
            ("/v1/notes", "text=a&other=1", "other"),
        ],
    )
    async def test_what_does_not_fit_is_named(self, door: Door, path: str, query: str, field: str) -> None:
        assert [error.field for error in errors(await self.ask(door, path, query))] == [field]

    async def test_a_query_where_none_belongs_is_named(self, door: Door) -> None:
        answer = await ask(door.app, path="/v1/ping", query="verbose=1")
        assert [error.field for error in errors(answer)] == ["verbose"]

    async def test_a_query_of_many_fields_is_refused(self, door: Door) -> None:
        answer = await self.ask(door, "/v1/notes", "&".join(f"f{number}=1" for number in range(1000)))
        assert answer.status == 422

    async def test_a_path_cannot_be_overruled_by_the_query(self, door: Door) -> None:
        assert saw(await self.ask(door, "/v1/notes/7", "id=8")) == {"id": 7}


class TestPathAndBody:
    async def change(self, door: Door, body: bytes) -> Answer:
        return await ask(door.app, "PATCH", "/v1/notes/7", headers=[door.bearer(), JSON], body=[body])

    async def test_they_are_put_together(self, door: Door) -> None:
        assert saw(await self.change(door, b'{"text":"milk"}')) == {"id": 7, "text": "milk"}

    async def test_a_body_cannot_contradict_the_path(self, door: Door) -> None:
        assert [one.field for one in errors(await self.change(door, b'{"text":"milk","id":8}'))] == ["id"]

    async def test_a_body_that_is_no_object_is_refused(self, door: Door) -> None:
        assert [one.field for one in errors(await self.change(door, b"[1]"))] == ["body"]

    async def test_a_body_that_is_no_json_is_a_bad_request(self, door: Door) -> None:
        answer = await self.change(door, b"{")
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "validation.failed")

    async def test_a_field_that_does_not_fit_is_named(self, door: Door) -> None:
        assert [one.field for one in errors(await self.change(door, b'{"text":7}'))] == ["text"]

    async def test_a_path_that_says_everything_needs_no_body(self, door: Door) -> None:
        answer = await ask(door.app, "POST", "/v1/notes/7/done", headers=[door.bearer()])
        assert saw(answer) == {"id": 7}

    @pytest.mark.parametrize(
        ("body", "seen"),
        [
            (b"{}", {"id": 7}),
            (b'{"text":null}', {"id": 7, "text": None}),
            (b'{"done":false}', {"id": 7, "done": False}),
        ],
    )
    async def test_a_patch_carries_what_its_sender_named_and_nothing_else(
        self, door: Door, body: bytes, seen: object
    ) -> None:
        headers = [door.bearer(), JSON]
        answer = await ask(door.app, "PATCH", "/v1/notes/7/state", headers=headers, body=[body])
        assert saw(answer) == seen


class TestDelete:
    async def forget(self, door: Door, *body: bytes, query: str = "", typed: bool = True) -> Answer:
        headers = [door.bearer(), *([JSON] if typed else [])]
        return await ask(door.app, "DELETE", "/v1/memory", headers=headers, body=body, query=query)

    async def test_may_have_a_body_where_the_contract_says_so(self, door: Door) -> None:
        assert saw(await self.forget(door, b'{"password":"x"}')) == {"password": "x"}

    async def test_does_without_one_where_nothing_in_it_is_required(self, door: Door) -> None:
        assert saw(await self.forget(door, b"", typed=False)) == {"password": ""}

    async def test_then_takes_nothing_from_the_query(self, door: Door) -> None:
        assert saw(await self.forget(door, b"", query="password=x", typed=False)) == {"password": ""}


@given(query=st.binary(max_size=200), path=st.text(max_size=50))
async def test_whatever_the_query_and_the_path_say_the_gate_has_an_answer(query: bytes, path: str) -> None:
    door = Door([notes.SEARCH, notes.READ])
    headers = [door.bearer()]
    for target in ("/v1/notes", f"/v1/notes/{path}"):
        answer = await ask(door.app, path=target, query=query, headers=headers)
        assert answer.status in {422, 503, 404}
