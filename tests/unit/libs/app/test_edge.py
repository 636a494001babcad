from __future__ import annotations

import gc
import io
import json
import re
import weakref
from ipaddress import ip_network
from typing import TextIO

import pytest
from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.app import EdgeSettings, exchange_of
from libs.app.access_log import AccessLog
from libs.app.cors import RawHeaders
from libs.app.edge import WRITE_ANSWER, Edge
from libs.app.logging import current_request_id
from libs.app.metrics import HttpMetrics
from libs.app.tally import Tally
from libs.messaging import Overloaded
from tests.unit.libs.app.asgi import Answer, ask

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body it was sent, read to its end."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def edge(app: ASGIApp, settings: EdgeSettings | None = None, log: TextIO | None = None) -> Told:
    """An edge that tells of each request at once."""
    return Told(app, settings or EdgeSettings(), log)


class Told:
    def __init__(self, app: ASGIApp, settings: EdgeSettings, log: TextIO | None) -> None:
        self._tally = Tally(HttpMetrics(), AccessLog("gateway", log) if log else None)
        self._edge = Edge(app, settings=settings, tally=self._tally)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._edge(scope, receive, send)
        finally:
            self._tally.flush()


class TestRequestId:
    async def answered(self, *ids: str) -> str:
        answer = await ask(edge(silent), headers=[("x-request-id", one) for one in ids])
        return answer.header("x-request-id") or ""

    async def test_one_is_made_where_none_is_given(self) -> None:
        assert UUID7.fullmatch(await self.answered())

    async def test_a_well_formed_one_is_kept(self) -> None:
        assert await self.answered("trace-1234.5_6") == "trace-1234.5_6"

    @pytest.mark.parametrize("given", ["short", "x" * 129, "with space", "new\nline", "quote\"'", ""])
    async def test_another_one_is_replaced(self, given: str) -> None:
        assert UUID7.fullmatch(await self.answered(given))

    async def test_it_is_known_to_whatever_logs(self) -> None:
        seen = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append((exchange_of(scope).request_id, current_request_id.get()))
            await silent(scope, receive, send)

        await ask(edge(app), headers=[("x-request-id", "request-1")])
        assert seen == [("request-1", "request-1")]


class TestBody:
    async def answered(self, *pieces: bytes, length: int | None = None, expect: bool = False) -> Answer:
        app = edge(echo, EdgeSettings(max_body=10))
        headers = [] if length is None else [("content-length", str(length))]
        headers += [("expect", "100-continue")] if expect else []
        return await ask(app, "POST", headers=headers, body=pieces)

    async def test_one_that_fits_goes_through(self) -> None:
        assert (await self.answered(b"01234", b"56789")).body == b"0123456789"

    async def test_one_announced_as_too_large_is_refused(self) -> None:
        answer = await self.answered(b"0123456789a", length=11)
        assert answer.status == 413
        assert json.loads(answer.body)["code"] == "http.body_too_large"
        assert answer.header("connection") is None

    async def test_the_connection_ends_where_the_client_had_asked_whether_to_send_it(self) -> None:
        answer = await self.answered(length=11, expect=True)
        assert (answer.status, answer.header("connection")) == (413, "close")

    async def test_one_that_grows_too_large_is_refused(self) -> None:
        assert (await self.answered(b"01234", b"56789", b"a")).status == 413

    async def test_a_route_that_reads_no_body_answers_before_its_size_matters(self) -> None:
        app = edge(silent, EdgeSettings(max_body=10))
        assert (await ask(app, "POST", headers=[("content-length", "11")])).status == 204


class TestHeaders:
    async def test_browsers_are_told_to_be_careful(self) -> None:
        answer = await ask(edge(silent))
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("content-security-policy") == "frame-ancestors 'none'"
        assert answer.header("strict-transport-security") is None

    async def test_they_can_be_switched_off(self) -> None:
        answer = await ask(edge(silent, EdgeSettings(security_headers=False)))
        assert [name for name, _ in answer.headers] == ["x-request-id"]

    async def test_strict_transport_is_for_those_who_ask_for_it(self) -> None:
        answer = await ask(edge(silent, EdgeSettings(hsts_seconds=600)))
        assert answer.header("strict-transport-security") == "max-age=600; includeSubDomains"


class TestErrors:
    async def failing(self, error: Exception) -> Answer:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise error

        return await ask(edge(app), headers=[("x-request-id", "request-1")])

    async def test_one_of_the_tree_is_answered(self) -> None:
        answer = await self.failing(Overloaded())
        assert (answer.status, json.loads(answer.body)["code"]) == (503, "rpc.overloaded")

    async def test_any_other_is_answered_without_its_cause(self) -> None:
        answer = await self.failing(RuntimeError("hunter2"))
        assert (answer.status, json.loads(answer.body)["code"]) == (500, "internal")
        assert b"hunter2" not in answer.body
        assert answer.header("x-request-id") == "request-1"

    async def test_one_in_the_middle_of_an_answer_cuts_the_connection(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("half-way")

        with pytest.raises(RuntimeError, match="half-way"):
            await ask(edge(app))

    async def test_one_after_the_answer_changes_nothing(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await silent(scope, receive, send)
            raise RuntimeError("told already")

        assert (await ask(edge(app))).status == 204


class TestCors:
    SETTINGS = EdgeSettings(cors_origins=frozenset({"https://app.example"}))
    PREFLIGHT = (("access-control-request-method", "PUT"),)

    async def test_an_allowed_page_may_read_the_answer(self) -> None:
        answer = await ask(edge(silent, self.SETTINGS), headers=[("origin", "https://app.example")])
        assert answer.header("access-control-allow-origin") == "https://app.example"
        assert answer.header("vary") == "origin"
        assert "x-request-id" in (answer.header("access-control-expose-headers") or "")

    async def test_another_page_may_not(self) -> None:
        answer = await ask(edge(silent, self.SETTINGS), headers=[("origin", "https://evil.example")])
        assert answer.header("access-control-allow-origin") is None
        assert answer.header("vary") == "origin"

    async def test_a_preflight_is_answered_without_asking_the_routes(self) -> None:
        app = edge(echo, self.SETTINGS)
        answer = await ask(app, "OPTIONS", headers=[("origin", "https://app.example"), *self.PREFLIGHT])
        assert answer.status == 204
        assert answer.all("access-control-allow-origin") == ["https://app.example"]
        assert "authorization" in (answer.header("access-control-allow-headers") or "")
        assert "PUT" in (answer.header("access-control-allow-methods") or "")

    async def test_a_preflight_of_another_page_is_no_preflight(self) -> None:
        app = edge(silent, self.SETTINGS)
        answer = await ask(app, "OPTIONS", headers=[("origin", "https://evil.example"), *self.PREFLIGHT])
        assert answer.header("access-control-allow-methods") is None

    async def test_all_pages_may_be_allowed(self) -> None:
        app = edge(silent, EdgeSettings(cors_origins=frozenset({"*"})))
        answer = await ask(app, headers=[("origin", "https://any.example")])
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("access-control-allow-credentials") is None

    async def test_a_route_may_answer_for_its_own_origins(self) -> None:
        async def own(scope: Scope, receive: Receive, send: Send) -> None:
            exchange_of(scope).leave_cors()
            headers = [(b"access-control-allow-origin", b"https://app.example"), (b"vary", b"origin")]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        answer = await ask(edge(own, self.SETTINGS), headers=[("origin", "https://app.example")])
        assert answer.all("access-control-allow-origin") == ["https://app.example"]
        assert answer.all("vary") == ["origin"]
        assert answer.header("x-request-id")

    async def test_without_the_setting_there_are_no_such_headers(self) -> None:
        answer = await ask(edge(silent), headers=[("origin", "https://app.example")])
        assert [name for name, _ in answer.headers if name.startswith("access-control")] == []


class TestWhatIsTold:
    async def test_a_line_per_request_without_its_query(self) -> None:
        log = io.StringIO()
        settings = EdgeSettings(trusted_proxies=(ip_network("192.0.2.0/24"),))
        headers = [("authorization", "Bearer hunter2"), ("x-forwarded-for", "203.0.113.9")]
        await ask(edge(silent, settings, log), path="/v1/me", query="token=hunter2", headers=headers)
        line = json.loads(log.getvalue())
        assert (line["path"], line["status"], line["client"]) == ("/v1/me", 204, "203.0.113.9")
        assert "hunter2" not in log.getvalue()

    async def test_a_client_that_went_away_is_told_as_such(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            """Gives up, as a route does whose client is gone."""

        log = io.StringIO()
        await ask(edge(app, log=log))
        assert json.loads(log.getvalue())["status"] == 499

    async def test_the_template_of_the_path_is_counted(self) -> None:
        class Route:
            path = "/v1/things/{id}"

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["route"] = Route()
            await silent(scope, receive, send)

        labels = {"method": "GET", "route": "/v1/things/{id}", "status": "204"}
        await ask(edge(app), path="/v1/things/7")
        assert REGISTRY.get_sample_value("gatehouse_http_request_seconds_count", labels) == 1


async def test_an_exchange_is_gone_with_its_answer_and_waits_for_no_collection() -> None:
    class Server:
        """Holds the scope, as uvicorn does, and is what the scope's extensions hold."""

        def __init__(self) -> None:
            self.scope: Scope = {
                "type": "http",
                "method": "GET",
                "path": "/",
                "headers": [],
                "client": None,
                "extensions": {WRITE_ANSWER: self.write},
            }

        def write(self, _status: int, _headers: RawHeaders, _body: bytes) -> bool:
            return False

        async def receive(self) -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(self, message: Message) -> None:
            pass

    server = Server()
    gone = weakref.ref(server)
    gc.disable()
    try:
        await edge(silent)(server.scope, server.receive, server.send)
        del server
        assert gone() is None
    finally:
        gc.enable()


async def test_a_websocket_gets_its_clients_address() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        """Nothing is sent."""

    settings = EdgeSettings(trusted_proxies=(ip_network("10.0.0.0/8"),))
    scope = {
        "type": "websocket",
        "path": "/",
        "client": ("10.0.0.1", 9),
        "headers": [(b"x-forwarded-for", b"203.0.113.9")],
    }
    await edge(app, settings)(scope, receive, send)
    assert seen[0]["client"] == ("203.0.113.9", 0)
