from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from starlette.responses import Response
from starlette.types import Message, Scope

from libs.domain import OPERATIONS as OURS
from libs.messaging import PUBLIC, Empty, Overloaded, current_caller, delete, get, post
from libs.messaging.contract import Operation
from tests.unit.libs.app.asgi import Answer, ask
from tests.unit.libs.gateway import operations as notes
from tests.unit.libs.gateway.door import Door

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """The notes behind the gate, and an application with one route of its own."""
    door = Door(notes.OPERATIONS, open_paths={"/open"}, max_body=200)
    await door.bus.serve(notes.handlers())

    @door.behind.get("/own")
    async def own() -> str:
        identity = current_caller().identity
        return identity.sub if identity else "nobody"

    @door.behind.get("/open")
    async def open_to_all() -> str:
        return "welcome"

    yield door
    await door.bus.close()


def saw(answer: Answer) -> dict[str, object]:
    assert answer.status in {200, 201}, answer.body
    found: dict[str, object] = json.loads(json.loads(answer.body)["saw"])
    return found


def code(answer: Answer) -> str:
    assert answer.header("content-type") == "application/problem+json"
    return str(json.loads(answer.body)["code"])


class TestDenyByDefault:
    @pytest.mark.parametrize(
        "route", Door(notes.OPERATIONS).gate.routes, ids=lambda route: route.operation.name
    )
    async def test_whoever_shows_no_token_learns_nothing_else(self, door: Door, route: object) -> None:
        """A wrong type, size, encoding, body and query at once: none of it is looked at before the token."""
        await self.walk(door, route)

    @pytest.mark.parametrize("route", Door(OURS).gate.routes, ids=lambda route: route.operation.name)
    async def test_every_route_of_ours_that_is_not_public_asks_for_a_token_first(self, route: object) -> None:
        await self.walk(Door(OURS), route)

    async def walk(self, door: Door, route: object) -> None:
        headers = [("content-type", "text/html"), ("content-encoding", "br"), ("content-length", "99999")]
        path = route.http.path.replace("{id}", "%00")  # type: ignore[attr-defined]  # a ContractRoute
        method, access = route.http.method, route.operation.access  # type: ignore[attr-defined]
        answer = await ask(door.app, method, path, headers=headers, body=[b"{" * 500], query="x=1&y")
        if access is PUBLIC:
            assert answer.status != 401
        else:
            assert (answer.status, code(answer)) == (401, "auth.token_invalid")
            assert answer.header("www-authenticate") == "Bearer"

    async def test_an_operation_for_services_has_no_route(self, door: Door) -> None:
        assert "notes.internal" not in {route.operation.name for route in door.gate.routes}

    async def test_a_route_that_is_no_contracts_asks_for_a_token_too(self, door: Door) -> None:
        assert (await ask(door.app, path="/own")).status == 401
        answer = await ask(door.app, path="/own", headers=[door.bearer(sub="ann")])
        assert json.loads(answer.body) == "ann"

    async def test_unless_its_path_is_said_to_be_open(self, door: Door) -> None:
        assert json.loads((await ask(door.app, path="/open")).body) == "welcome"

    async def test_a_path_that_nobody_serves_is_not_found(self, door: Door) -> None:
        answer = await ask(door.app, path="/nothing")
        assert (answer.status, code(answer)) == (404, "http.not_found")

    async def test_a_bad_token_is_challenged(self, door: Door) -> None:
        answer = await ask(door.app, path="/v1/notes/1", headers=[("authorization", "Bearer bad")])
        assert (answer.header("www-authenticate") or "").startswith('Bearer error="invalid_token"')

    async def test_a_missing_scope_is_forbidden(self, door: Door) -> None:
        answer = await ask(door.app, "POST", "/v1/clear", headers=[door.bearer(scope="notes.read")])
        assert (answer.status, code(answer)) == (403, "auth.forbidden")
        answer = await ask(door.app, "POST", "/v1/clear", headers=[door.bearer(scope="notes.clear")])
        assert answer.status == 204

    async def test_a_websocket_that_is_not_open_is_not_found(self, door: Door) -> None:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {"type": "websocket", "path": "/own", "headers": [], "client": None}
        await door.app(scope, receive, send)
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 404)


class TestReply:
    async def test_it_is_the_services_as_it_is(self, door: Door) -> None:
        answer = await ask(door.app, path="/v1/ping", headers=[("user-agent", "tests")])
        assert answer.status == 200
        assert answer.header("content-type") == "application/json"
        assert answer.header("content-length") == str(len(answer.body))
        assert json.loads(answer.body)["saw"] == "{}"

    async def test_the_contract_says_its_status(self, door: Door) -> None:
        headers = [door.bearer(), ("content-type", "application/json")]
        answer = await ask(door.app, "POST", "/v1/notes", headers=headers, body=[b'{"text": "milk"}'])
        assert answer.status == 201

    async def test_no_content_has_no_body(self, door: Door) -> None:
        answer = await ask(door.app, "DELETE", "/v1/notes/7", headers=[door.bearer()])
        assert (answer.status, answer.body, answer.header("content-type")) == (204, b"", None)
        assert answer.header("content-length") is None

    async def test_the_services_refusal_is_a_problem(self, door: Door) -> None:
        headers = [door.bearer(), ("content-type", "application/json")]
        answer = await ask(door.app, "POST", "/v1/notes", headers=headers, body=[b'{"text": 7}'])
        assert (answer.status, code(answer)) == (422, "validation.failed")
        assert json.loads(answer.body)["errors"][0]["field"] == "text"

    async def test_a_body_that_is_no_json_is_a_bad_request(self, door: Door) -> None:
        headers = [door.bearer(), ("content-type", "application/json")]
        answer = await ask(door.app, "POST", "/v1/notes", headers=headers, body=[b'{"text'])
        assert (answer.status, code(answer)) == (400, "validation.failed")

    async def test_nobody_there_is_service_unavailable_with_a_hint(self) -> None:
        answer = await ask(Door(notes.OPERATIONS).app, path="/v1/ping")
        assert (answer.status, code(answer)) == (503, "rpc.unavailable")
        assert answer.header("retry-after") == "1"

    async def test_without_news_of_revocations_bearers_are_not_served(self) -> None:
        door = Door(notes.OPERATIONS)
        await door.bus.serve(notes.handlers())
        headers = [door.bearer()]
        door.revocations._complete_at = float("-inf")
        answer = await ask(door.app, path="/v1/notes/1", headers=headers)
        assert (answer.status, code(answer)) == (503, "rpc.unavailable")
        assert (await ask(door.app, path="/v1/ping")).status == 200
        assert (await ask(door.app, path="/v1/notes/1")).status == 401


class TestCaching:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/v1/notes/1"), ("HEAD", "/v1/notes/1"), ("DELETE", "/v1/notes/7"), ("GET", "/own")],
    )
    @pytest.mark.parametrize("way", ["bearer", "cookie"])
    async def test_what_a_known_caller_gets_is_kept_by_no_cache(
        self, door: Door, way: str, method: str, path: str
    ) -> None:
        """Of a cookie no cache thinks as it does of `Authorization`, nor does a browser that goes back after a logout."""
        bearer = door.bearer()
        token = bearer[1].removeprefix("Bearer ")
        cookie = [
            ("host", "app.example"),
            ("origin", "https://app.example"),
            ("x-gatehouse-cookies", "1"),
            ("cookie", f"__Host-gatehouse-access={token}"),
        ]
        answer = await ask(door.app, method, path, headers=[bearer] if way == "bearer" else cookie)
        assert answer.status in {200, 204}
        assert answer.all("cache-control") == ["no-store"]

    async def test_a_public_answer_is_the_contracts_to_decide(self, door: Door) -> None:
        assert (await ask(door.app, path="/v1/ping")).header("cache-control") is None
        assert (await ask(door.app, "POST", "/v1/ticket")).header("cache-control") == "no-store"

    async def test_a_route_of_the_applications_own_may_say_something_else(self, door: Door) -> None:
        @door.behind.get("/kept")
        async def kept(response: Response) -> str:
            response.headers["Cache-Control"] = "private, max-age=5"
            return "kept"

        answer = await ask(door.app, path="/kept", headers=[door.bearer()])
        assert answer.all("cache-control") == ["private, max-age=5"]


class TestMethods:
    async def test_another_method_is_not_allowed_and_those_that_are_are_named(self, door: Door) -> None:
        answer = await ask(door.app, "PUT", "/v1/notes/1")
        assert (answer.status, code(answer)) == (405, "http.method_not_allowed")
        assert answer.header("allow") == "DELETE, GET, HEAD, OPTIONS, PATCH"

    async def test_options_names_them_too(self, door: Door) -> None:
        answer = await ask(door.app, "OPTIONS", "/v1/notes")
        assert (answer.status, answer.header("allow")) == (204, "GET, HEAD, OPTIONS, POST")

    async def test_head_is_served_where_get_is(self, door: Door) -> None:
        answer = await ask(door.app, "HEAD", "/v1/ping")
        assert answer.status == 200
        assert int(answer.header("content-length") or 0) > 2


class TestAccepted:
    @pytest.mark.parametrize(("later", "status"), [(False, 201), (True, 202)])
    async def test_the_kind_of_the_reply_says_whether_it_is_done(
        self, door: Door, later: bool, status: int
    ) -> None:
        body = json.dumps({"text": "milk", "later": later}).encode()
        answer = await ask(
            door.app, "POST", "/v1/jot", body=[body], headers=[("content-type", "application/json")]
        )
        assert answer.status == status
        assert json.loads(answer.body)["ticket" if later else "saw"] == "milk"


class TestCaller:
    async def test_the_service_is_told_who_calls_from_where(self, door: Door) -> None:
        headers = [
            door.bearer(sub="ann"),
            ("user-agent", "tests/1"),
            ("accept-language", "ru"),
            ("x-request-id", "request-1"),
            ("traceparent", TRACE),
        ]
        found = json.loads((await ask(door.app, path="/v1/notes/1", headers=headers)).body)
        assert found == {
            "saw": '{"id":1}',
            "who": "ann",
            "ip": "192.0.2.1",
            "user_agent": "tests/1",
            "language": "ru",
            "request_id": "request-1",
            "traceparent": TRACE,
        }

    async def test_at_a_public_door_nobody_is_known(self, door: Door) -> None:
        found = json.loads((await ask(door.app, path="/v1/ping", headers=[door.bearer(sub="ann")])).body)
        assert not found["who"]

    async def test_a_broken_trace_is_not_passed_on(self, door: Door) -> None:
        headers = [("traceparent", "00-zz-01")]
        found = json.loads((await ask(door.app, path="/v1/ping", headers=headers)).body)
        assert not found["traceparent"]

    async def test_what_a_client_says_of_itself_is_bounded(self, door: Door) -> None:
        headers = [("user-agent", "x" * 5000)]
        found = json.loads((await ask(door.app, path="/v1/ping", headers=headers)).body)
        assert len(found["user_agent"]) == 256

    async def test_a_language_is_ascii_and_bounded(self, door: Door) -> None:
        headers = [("accept-language", "ru\xff" + "x" * 5000)]
        found = json.loads((await ask(door.app, path="/v1/ping", headers=headers)).body)
        assert found["language"].startswith("rux")
        assert len(found["language"]) == 99


class TestPaths:
    async def test_a_fixed_path_goes_before_a_template(self) -> None:
        mine = Operation("notes.mine", Empty, notes.Seen, access=PUBLIC, http=get("/v1/notes/mine"))
        door = Door([notes.READ, mine])
        assert (await ask(door.app, path="/v1/notes/mine")).status == 503
        assert (await ask(door.app, path="/v1/notes/1")).status == 401

    @pytest.mark.parametrize(
        "path", ["/v1/notes/", "/v1/notes/1/2", "/v1/notes/1/", "/v1/Notes", "/v1/ping/"]
    )
    async def test_what_only_looks_similar_is_not_found(self, door: Door, path: str) -> None:
        assert (await ask(door.app, path=path)).status == 404

    def test_two_contracts_cannot_have_one_place(self) -> None:
        again = Operation("notes.again", notes.Note, notes.Seen, http=post("/v1/notes"))
        with pytest.raises(ValueError, match=r"notes\.again and notes\.add both want POST /v1/notes"):
            Door([notes.ADD, again])

    def test_a_field_of_a_path_has_one_name(self) -> None:
        other = Operation("notes.other", notes.Confirmed, notes.Seen, http=delete("/v1/notes/{password}"))
        with pytest.raises(ValueError, match="one path with two names"):
            Door([notes.READ, other])


async def test_an_error_behind_the_gate_is_a_problem() -> None:
    door = Door([], open_paths={"/broken"})

    @door.behind.get("/broken")
    async def broken() -> None:
        raise Overloaded

    answer = await ask(door.app, path="/broken")
    assert (answer.status, code(answer)) == (503, "rpc.overloaded")
