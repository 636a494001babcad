"""The server API as a back end sees it, on a log and a bus in memory."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from libs.messaging.memory import MemoryBroker, MemoryBus
from libs.realtime import SERVER_API_PATHS, MemoryLog, MemoryStream, Realtime, RealtimeSettings
from libs.realtime.disconnecting import Disconnecting
from libs.realtime.server_api import ApiKey, Methods, routes
from tests.unit.libs.app.asgi import Answer, ask
from tests.unit.libs.realtime.clients import FakeClient, new_node, verify
from tests.unit.libs.realtime.test_presence import Remembered

KEY = "a key of thirty-two bytes, or so."


class BackEnd:
    """A gateway process, and the back end that calls it."""

    def __init__(self, broker: MemoryBroker, stream: MemoryStream) -> None:
        self.presence = Remembered()
        self.node = new_node(log=MemoryLog(stream), presence=self.presence, max_publication=1024)
        self.disconnecting = Disconnecting(MemoryBus(broker), self.node.registry)
        methods = Methods(self.node, self.disconnecting)
        self.app = Starlette(routes=routes(methods, ApiKey(KEY), max_publication=1024))

    async def start(self) -> None:
        await self.node.start()
        await self.disconnecting.start()

    async def stop(self) -> None:
        await self.disconnecting.stop()
        await self.node.stop()

    async def post(self, method: str, body: bytes, **headers: str) -> Answer:
        shown = {"x_api_key": KEY, **headers}
        named = [(name.replace("_", "-"), value) for name, value in shown.items()]
        return await ask(self.app, "POST", f"/api/{method}", headers=named, body=[body[:7], body[7:]])

    async def call(self, method: str, **request: Any) -> Any:
        """The result, or the error's code and message."""
        answer = await self.post(method, json.dumps(request).encode())
        assert (answer.status, answer.header("content-type")) == (200, "application/json"), answer.body
        said = json.loads(answer.body)
        return said["result"] if "result" in said else (said["error"]["code"], said["error"]["message"])


@pytest.fixture
async def processes() -> AsyncIterator[list[BackEnd]]:
    """Two gateway processes on one broker."""
    broker, stream = MemoryBroker(), MemoryStream()
    made = [BackEnd(broker, stream), BackEnd(broker, stream)]
    for one in made:
        await one.start()
    yield made
    for one in made:
        await one.stop()


@pytest.fixture
def back_end(processes: list[BackEnd]) -> BackEnd:
    """One of them."""
    return processes[0]


class TestKey:
    @pytest.mark.parametrize("path", sorted(SERVER_API_PATHS))
    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("x-api-key", "")],
            [("x-api-key", KEY[:-1])],
            [("x-api-key", "schlüssel")],
            [("authorization", f"Bearer {KEY}")],
            [("authorization", "apikey")],
            [("x-api-key", "wrong"), ("authorization", f"apikey {KEY}")],
        ],
    )
    async def test_nothing_is_done_without_it(
        self, back_end: BackEnd, path: str, headers: list[tuple[str, str]]
    ) -> None:
        answer = await ask(back_end.app, "POST", path, headers=headers, body=[b"no JSON"])

        assert answer.status == 401
        assert json.loads(answer.body)["code"] == "realtime.api_key_invalid"
        assert answer.header("www-authenticate") == "apikey"

    async def test_it_may_stand_in_the_authorization_header(self, back_end: BackEnd) -> None:
        headers = [("authorization", f"ApiKey {KEY}")]
        body = [b'{"channel": "public:news"}']
        assert (await ask(back_end.app, "POST", "/api/history", headers=headers, body=body)).status == 200

    async def test_in_the_query_it_is_not_looked_for(self, back_end: BackEnd) -> None:
        """It would stand in every log on the way."""
        answer = await ask(back_end.app, "POST", "/api/history", query=f"api_key={KEY}")
        assert answer.status == 401

    def test_a_short_one_is_for_loopback_only(self) -> None:
        with pytest.raises(ValueError, match="GATEWAY_REALTIME_API_KEY needs at least 32 bytes"):
            ApiKey("short")
        ApiKey("short", lenient=True).check({"x-api-key": "short"})

    def test_an_empty_one_opens_nothing_even_there(self) -> None:
        with pytest.raises(ValueError, match="GATEWAY_REALTIME_API_KEY"):
            ApiKey("", lenient=True)

    def test_without_one_there_is_no_server_api(self) -> None:
        without, with_key = (
            Realtime(RealtimeSettings(api_key=key), log=MemoryLog(), verify=verify, bus=MemoryBus())
            for key in (None, SecretStr(KEY))
        )
        assert {getattr(route, "path", "") for route in with_key.routes} >= SERVER_API_PATHS
        assert not {getattr(route, "path", "") for route in without.routes} & SERVER_API_PATHS


class TestBody:
    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"channel": 1}', b'{"channel": "a", "tags": 1}'])
    async def test_one_that_is_no_request_is_a_problem(self, back_end: BackEnd, body: bytes) -> None:
        answer = await back_end.post("publish", body)
        assert (answer.status, answer.header("content-type")) == (400, "application/problem+json")

    async def test_one_that_is_too_large_is_not_read(self, back_end: BackEnd) -> None:
        told = await back_end.post("publish", b"", content_length="1000000")
        untold = await back_end.post("publish", b" " * 10_000)
        assert (told.status, untold.status) == (413, 413)

    async def test_other_methods_than_post_are_not_there(self, back_end: BackEnd) -> None:
        assert (await ask(back_end.app, "GET", "/api/publish", headers=[("x-api-key", KEY)])).status == 405

    async def test_fields_of_a_newer_version_are_ignored(self, back_end: BackEnd) -> None:
        assert await back_end.call("publish", channel="live:a", data=1, some_future_field=True) == {}


class TestPublish:
    async def test_it_says_where_the_publication_lies(self, back_end: BackEnd) -> None:
        first = await back_end.call("publish", channel="public:news", data={"n": 1})
        second = await back_end.call("publish", channel="public:news", data={"n": 2})

        assert (first["offset"], second["offset"]) == (1, 2)
        assert first["epoch"] == second["epoch"] == back_end.node.feed.position.epoch

    async def test_subscribers_of_every_process_hear_it(self, processes: list[BackEnd]) -> None:
        clients = [FakeClient(one.node) for one in processes]
        for client in clients:
            await client.connect()
            await client.ask(subscribe={"channel": "public:news"})

        await processes[0].call("publish", channel="public:news", data={"n": [1, None, "ü"]})
        await clients[0].ask(rpc={"method": "echo"})

        assert [client.publications() for client in clients] == [[{"n": [1, None, "ü"]}]] * 2
        assert clients[0].pushes()[-1]["pub"]["tags"] == {"type": "realtime.api.published"}

    async def test_in_a_channel_without_history_it_has_no_place(self, back_end: BackEnd) -> None:
        assert await back_end.call("publish", channel="live:a", data=1) == {}

    async def test_null_is_something_to_say(self, back_end: BackEnd) -> None:
        await back_end.call("publish", channel="public:news", data=None)
        page = await back_end.call("history", channel="public:news", limit=-1)
        assert [one["data"] for one in page["publications"]] == [None]

    async def test_data_may_come_in_base64(self, back_end: BackEnd) -> None:
        data = base64.b64encode(b'{"n": 1}').decode()
        await back_end.call("publish", channel="public:news", b64data=data)
        page = await back_end.call("history", channel="public:news", limit=-1)
        assert [one["data"] for one in page["publications"]] == [{"n": 1}]

    async def test_under_the_same_key_it_is_published_once(self, back_end: BackEnd) -> None:
        asked = {"channel": "public:news", "data": 1, "idempotency_key": "order-7"}
        first, again = await back_end.call("publish", **asked), await back_end.call("publish", **asked)
        other = await back_end.call("publish", **{**asked, "channel": "public:sports"})

        assert first == again
        assert other["offset"] > first["offset"]
        page = await back_end.call("history", channel="public:news", limit=-1)
        assert len(page["publications"]) == 1

    @pytest.mark.parametrize(
        ("request_", "error"),
        [
            ({"channel": "", "data": 1}, (107, "bad request")),
            ({"channel": "public:ü", "data": 1}, (107, "bad request")),
            ({"channel": "nowhere:a", "data": 1}, (102, "unknown channel")),
            ({"channel": "public:a"}, (107, "bad request")),
            ({"channel": "public:a", "data": "x" * 1100}, (107, "bad request")),
            ({"channel": "public:a", "b64data": "***"}, (107, "bad request")),
            ({"channel": "public:a", "b64data": "AAAA"}, (107, "bad request")),
            ({"channel": "public:a", "data": 1, "skip_history": True}, (107, "bad request")),
            ({"channel": "public:a", "data": 1, "tags": {"a": "b"}}, (107, "bad request")),
            ({"channel": "public:a", "data": 1, "version": 3}, (107, "bad request")),
        ],
    )
    async def test_what_cannot_be_done_is_refused(
        self, back_end: BackEnd, request_: dict[str, Any], error: tuple[int, str]
    ) -> None:
        assert await back_end.call("publish", **request_) == error

    async def test_a_log_that_takes_nothing_is_told(self, back_end: BackEnd) -> None:
        await back_end.node.log.stop()
        assert await back_end.call("publish", channel="public:news", data=1) == (100, "internal server error")


@pytest.mark.usefixtures("published")
class TestHistory:
    @pytest.fixture
    async def published(self, back_end: BackEnd) -> None:
        for number in range(1, 5):
            await back_end.call("publish", channel="public:news", data=number)

    async def test_without_a_limit_it_is_the_position(self, back_end: BackEnd) -> None:
        epoch = back_end.node.feed.position.epoch
        assert await back_end.call("history", channel="public:news", limit=0) == {
            "publications": [],
            "offset": 4,
            "epoch": epoch,
        }

    async def test_it_goes_both_ways_from_a_position(self, back_end: BackEnd) -> None:
        asked = {"channel": "public:news", "limit": 2, "since": {"offset": 3, "epoch": ""}}
        onward = await back_end.call("history", **asked)
        backward = await back_end.call("history", **asked, reverse=True)
        assert [one["data"] for one in onward["publications"]] == [4]
        assert [one["data"] for one in backward["publications"]] == [2, 1]

    async def test_a_position_of_another_log_is_no_good(self, back_end: BackEnd) -> None:
        since = {"offset": 1, "epoch": "other"}
        error = await back_end.call("history", channel="public:news", limit=1, since=since)
        assert error == (112, "unrecoverable position")

    async def test_clients_may_read_less_than_back_ends(self, back_end: BackEnd) -> None:
        assert (await back_end.call("history", channel="closed:a", limit=1))["publications"] == []

    async def test_a_channel_without_one_has_none(self, back_end: BackEnd) -> None:
        assert await back_end.call("history", channel="live:a") == (108, "not available")


class TestPresence:
    async def test_it_names_who_is_there(self, back_end: BackEnd) -> None:
        client = FakeClient(back_end.node)
        await client.connect("ann/s1")
        await client.ask(subscribe={"channel": "room:a"})

        result = await back_end.call("presence", channel="room:a")

        assert result == {"presence": {client.session.id: {"user": "ann", "client": client.session.id}}}

    async def test_an_empty_channel_has_nobody(self, back_end: BackEnd) -> None:
        assert await back_end.call("presence", channel="room:a") == {"presence": {}}

    async def test_a_channel_without_it_says_so(self, back_end: BackEnd) -> None:
        assert await back_end.call("presence", channel="public:a") == (108, "not available")

    async def test_a_store_that_is_away_is_told(self, back_end: BackEnd) -> None:
        back_end.presence.away = True
        assert await back_end.call("presence", channel="room:a") == (100, "internal server error")


class TestDisconnect:
    @pytest.fixture
    async def clients(self, processes: list[BackEnd]) -> list[FakeClient]:
        """Ann on both processes, and Bob on the second."""
        nodes = [processes[0].node, processes[1].node, processes[1].node]
        made = [FakeClient(node) for node in nodes]
        for client, token in zip(made, ["ann/s1", "ann/s2", "bob/s3"], strict=True):
            await client.connect(token)
        return made

    async def test_it_reaches_every_process(self, back_end: BackEnd, clients: list[FakeClient]) -> None:
        assert await back_end.call("disconnect", user="ann") == {}

        assert await clients[0].until_closed() == (3503, "force disconnect")
        assert await clients[1].until_closed() == (3503, "force disconnect")
        assert clients[2].closed is None

    async def test_code_and_reason_may_be_given(self, back_end: BackEnd, clients: list[FakeClient]) -> None:
        await back_end.call("disconnect", user="bob", disconnect={"code": 4000, "reason": "moved"})
        assert await clients[2].until_closed() == (4000, "moved")

    async def test_a_reason_is_never_empty(self, back_end: BackEnd, clients: list[FakeClient]) -> None:
        await back_end.call("disconnect", user="bob", disconnect={"code": 4500})
        assert await clients[2].until_closed() == (4500, "force disconnect")

    async def test_it_may_be_one_connection_only(self, back_end: BackEnd, clients: list[FakeClient]) -> None:
        await back_end.call("disconnect", user="ann", client=clients[1].session.id)
        await clients[1].until_closed()
        assert clients[0].closed is None

    async def test_or_all_but_some(self, back_end: BackEnd, clients: list[FakeClient]) -> None:
        await back_end.call("disconnect", user="ann", whitelist=[clients[1].session.id])
        await clients[0].until_closed()
        assert clients[1].closed is None

    async def test_nobody_in_particular_cannot_be_closed(self, back_end: BackEnd) -> None:
        assert await back_end.call("disconnect", user="") == (107, "bad request")

    @pytest.mark.parametrize("code", [0, 1000, 2999, 5000])
    async def test_a_code_that_no_close_may_have_is_refused(self, back_end: BackEnd, code: int) -> None:
        body = json.dumps({"user": "ann", "disconnect": {"code": code, "reason": "x"}}).encode()
        assert (await back_end.post("disconnect", body)).status == 400
