"""A service as a process: its ports, its signals, and its last words."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

HERE = Path(__file__).resolve().parent
"""No `.env` lies here, as it may in the repository's folder."""
ROOT = HERE.parents[2]
MODULE = "tests.integration.gateway.small_service"


class Small:
    """The process, and what it has said."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.public = self.operations = ""

    async def until(self, word: str) -> str:
        """Read on to the line that holds ``word``."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while True:
                line = (await self.process.stdout.readline()).decode().rstrip()
                assert line or not self.process.stdout.at_eof(), self.lines
                self.lines.append(line)
                if word in line:
                    return line

    async def listening(self) -> None:
        found = json.loads(await self.until('"listening"'))
        self.public, self.operations = f"http://{found['public']}", f"http://{found['operations']}"

    async def ended(self) -> int:
        """Read the rest; the exit status."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            self.lines += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait()

    @property
    def said(self) -> list[str]:
        """The service's own lines, without its log."""
        return [line for line in self.lines if not line.startswith("{")]


@asynccontextmanager
async def small(*arguments: str, **variables: str) -> AsyncGenerator[Small]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LOG_FORMAT": "json", **variables}
    command = (sys.executable, "-m", MODULE, *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE, env=environment, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield Small(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def service() -> AsyncIterator[Small]:
    """One that listens."""
    async with small() as running:
        await running.listening()
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps its connections."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


class TestPorts:
    async def test_clients_and_operators_have_their_own(
        self, service: Small, client: httpx.AsyncClient
    ) -> None:
        assert (await client.get(f"{service.public}/quick")).json() == "quick"
        assert (await client.get(f"{service.public}/metrics")).status_code == 404
        assert (await client.get(f"{service.operations}/quick")).status_code == 404
        async with asyncio.timeout(30):
            while True:
                metrics = (await client.get(f"{service.operations}/metrics")).text
                if 'request_seconds_count{method="GET",route="/quick",status="200"} 1.0' in metrics:
                    break
                await asyncio.sleep(0.05)
        for address in (service.public, service.operations):
            assert (await client.get(f"{address}/healthz")).status_code == 200
            assert (await client.get(f"{address}/readyz")).json() == {"status": "ready", "missing": []}

    async def test_one_that_is_taken_ends_the_start_with_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            async with small(SMALL_PORT=port) as service:
                assert await service.ended() == 1
        (line,) = service.lines
        assert json.loads(line)["event"] == f"cannot listen on 127.0.0.1:{port}: Address already in use"

    async def test_several_processes_may_share_one(self, client: httpx.AsyncClient) -> None:
        async with small(SMALL_REUSE_PORT="true") as first:
            await first.listening()
            port = first.public.rpartition(":")[2]
            async with small(SMALL_REUSE_PORT="true", SMALL_PORT=port) as second:
                await second.listening()
                assert second.public == first.public
                assert (await client.get(f"{second.public}/quick")).status_code == 200


class TestStop:
    async def test_clients_go_first_then_requests_then_listeners_then_connections(
        self, service: Small, client: httpx.AsyncClient
    ) -> None:
        answering = asyncio.create_task(client.get(f"{service.public}/slow"))
        await service.until("slow started")
        service.process.send_signal(signal.SIGTERM)
        await service.until("clients dismissed")
        readiness = await client.get(f"{service.operations}/readyz")
        assert (readiness.status_code, readiness.json()["missing"]) == (503, ["stopping"])
        with pytest.raises(httpx.ConnectError):
            await httpx.AsyncClient().get(f"{service.public}/quick")
        assert (await answering).json() == "slow"
        assert await service.ended() == 0
        assert service.said == ["slow started", "clients dismissed", "listener stopped", "bus closed"]

    async def test_a_request_that_does_not_end_is_ended(
        self, service: Small, client: httpx.AsyncClient
    ) -> None:
        async def read() -> None:
            async with client.stream("GET", f"{service.public}/endless") as answer:
                await answer.aread()

        reading = asyncio.create_task(read())
        await service.until("endless started")
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
        assert service.said[-3:] == ["endless ended", "listener stopped", "bus closed"]
        with pytest.raises(httpx.RemoteProtocolError):
            await reading

    async def test_a_request_that_is_cut_before_its_answer_is_told_so(self, service: Small) -> None:
        reader, writer = await asyncio.open_connection(*service.public.removeprefix("http://").split(":"))
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
        writer.write(head + b"Expect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"  # it is being read
        service.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        assert await service.ended() == 0

        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert {b"retry-after: 1", b"connection: close"} <= set(head.lower().split(b"\r\n"))
        assert json.loads(body)["code"] == "http.stopping"

    async def test_a_second_signal_ends_at_once(self, service: Small, client: httpx.AsyncClient) -> None:
        answering = asyncio.create_task(client.get(f"{service.public}/slow"))
        await service.until("slow started")
        service.process.send_signal(signal.SIGTERM)
        await service.until("clients dismissed")
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == -signal.SIGTERM
        assert "listener stopped" not in service.said
        with pytest.raises(httpx.TransportError):
            await answering

    async def test_an_interrupt_stops_in_order_too(self, service: Small) -> None:
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 0
        assert service.said == ["clients dismissed", "listener stopped", "bus closed"]


class TestStart:
    async def test_one_that_fails_closes_what_it_opened_and_says_why_in_one_line(self) -> None:
        async with small("--fail") as service:
            assert await service.ended() == 1
        assert service.said == ["bus closed"]
        (line,) = [json.loads(line) for line in service.lines if line.startswith("{")]
        assert line["level"] == "critical"
        assert line["event"] == "small cannot start: declaring the topology failed: the exchange is square"
        assert "exception" not in line

    async def test_its_cause_is_there_for_those_who_debug(self) -> None:
        async with small("--fail", LOG_LEVEL="debug") as service:
            assert await service.ended() == 1
        (line,) = [json.loads(line) for line in service.lines if '"critical"' in line]
        assert "ConnectionError: the exchange is square" in line["exception"]

    async def test_wrong_settings_are_one_line_each(self) -> None:
        async with small(SMALL_PORT="many", LOG_LEVEL="loud") as service:
            assert await service.ended() == 1
        assert [line.partition(":")[0] for line in service.lines] == ["LOG_LEVEL", "SMALL_PORT"]

    async def test_a_signal_in_the_middle_closes_what_is_open(self) -> None:
        async with small("--hang") as service:
            await service.until("hanging")
            service.process.send_signal(signal.SIGTERM)
            assert await service.ended() == 0
        assert service.said == ["hanging", "bus closed"]


async def said_to(address: str, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Everything that comes back for some bytes on one connection."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


class TestWire:
    async def test_what_is_no_http_is_a_problem(self, service: Small) -> None:
        answer = await said_to(service.public, b"HELLO\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code":"http.malformed"' in answer

    @pytest.mark.parametrize("method", [b"BREW", b"get", b"GETT", b"DESCRIBE"])
    async def test_an_unknown_method_is_not_implemented(self, service: Small, method: bytes) -> None:
        """RFC 9110, section 9.1; a method that is known is answered by the path, with 405 where it does not take it."""
        request = method + b" /quick HTTP/1.1\r\nhost: x\r\n\r\n"
        answer = await said_to(service.public, request)
        assert answer.startswith(b"HTTP/1.1 501 ")
        assert b'"code":"http.method_unknown"' in answer

    async def test_nor_is_it_on_a_connection_that_was_used(self, service: Small) -> None:
        reader, writer = await asyncio.open_connection(*service.public.removeprefix("http://").split(":"))
        async with asyncio.timeout(30):
            writer.write(b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.readuntil(b'"quick"')).startswith(b"HTTP/1.1 200 ")
            writer.write(b"BREW /quick HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 501 ")
        writer.close()

    @pytest.mark.parametrize(
        "said",
        [b"\x16\x03\x01 / HTTP/1.1\r\n\r\n", b"BREW /\r\n\r\n", b"GET /quick HTTP/1.1\r\nno header\r\n\r\n"],
        ids=["no token", "no version", "known"],
    )
    async def test_what_is_wrong_with_more_than_its_method_is_no_http(
        self, service: Small, said: bytes
    ) -> None:
        answer = await said_to(service.public, said)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1

    async def test_a_head_without_end_is_refused(self, service: Small) -> None:
        answer = await said_to(service.public, b"GET / HTTP/1.1\r\nx: ", *[b"a" * 8000] * 5)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b'"code":"http.head_too_large"' in answer

    async def test_a_head_that_is_too_large_is_refused_in_one_piece_too(self, service: Small) -> None:
        path = b"/" + b"a" * 100_000
        answer = await said_to(service.public, b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")

    async def test_a_body_that_is_too_large_is_refused_while_it_is_still_sent(self, service: Small) -> None:
        body = b"a" * 20_000_000
        head = (
            b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        )
        last = b"GET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answers = await said_to(service.public, head % len(body) + body, last)
        assert answers.startswith(b"HTTP/1.1 413 ")
        assert answers.endswith(b'\r\n\r\n"quick"')

    async def test_a_head_behind_a_body_that_nobody_read_is_bounded_too(self, service: Small) -> None:
        head = b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 20000\r\n\r\n"
        pieces = [head, b"a" * 20_000, b"GET / HTTP/1.1\r\nx: ", *[b"a" * 8000] * 5]
        answers = await said_to(service.public, *pieces, pause=0.02)
        assert [answers.count(b"HTTP/1.1 %d " % status) for status in (404, 431)] == [1, 1]

    @pytest.mark.parametrize("hosts", [b"", b"host: a\r\nhost: b\r\n"], ids=["none", "two"])
    async def test_a_request_names_one_host(self, service: Small, hosts: bytes) -> None:
        """RFC 9112, section 3.2."""
        answer = await said_to(service.public, b"GET /quick HTTP/1.1\r\n" + hosts + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code":"http.malformed"' in answer

    @pytest.mark.parametrize(
        "fields",
        [
            b"authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
            b"authorization: Bearer a\r\nx: y\r\nauthorization: Bearer a\r\n",
            b"content-length: 2\r\ncontent-length: 3\r\n",
            b"content-length: 2\r\ncontent-length: 2\r\n",
            b"content-length: 2, 3\r\n",
            b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
            b"transfer-encoding: chunked\r\ncontent-length: 2\r\n",
            b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        ],
    )
    async def test_what_may_be_said_once_is_not_said_twice(self, service: Small, fields: bytes) -> None:
        """Two servers on the way could each believe another one (RFC 9110, section 5.3; RFC 9112, section 6.3)."""
        head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        answer = await said_to(service.public, head + fields + b"\r\n{}")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code":"http.malformed"' in answer
        assert answer.count(b"HTTP/1.1") == 1

    async def test_heads_in_small_pieces_are_fine(self, service: Small) -> None:
        request = b"GET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answer = await said_to(service.public, *[request[n : n + 3] for n in range(0, len(request), 3)])
        assert answer.endswith(b'"quick"')

    async def test_requests_in_one_piece_are_answered_in_order(self, service: Small) -> None:
        one = b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answer = await said_to(service.public, one + one + last)
        assert answer.count(b"HTTP/1.1 200") == 3
        assert answer.endswith(b'{"status":"ok"}')

    async def test_an_answer_in_one_write_keeps_to_http(
        self, service: Small, client: httpx.AsyncClient
    ) -> None:
        for _ in range(3):
            answer = await client.get(f"{service.public}/front")
            assert (answer.status_code, answer.text) == (200, "front")
        assert {"date", "x-request-id", "x-content-type-options"} <= set(answer.headers)
        head = await client.head(f"{service.public}/front")
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "5")
        one = b"GET /front HTTP/1.1\r\nhost: x\r\n\r\n"
        last = b"GET /front HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        several = await said_to(service.public, one + one + last)
        assert several.count(b"HTTP/1.1 200 OK") == several.count(b"\r\n\r\nfront") == 3
        assert several.count(b"connection: close") == 1
        old = await said_to(service.public, b"GET /front HTTP/1.0\r\n\r\n")
        assert old.endswith(b"connection: close\r\n\r\nfront")

    async def test_a_large_body_in_chunks_is_refused(self, service: Small) -> None:
        head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
        last = b"GET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answers = await said_to(service.public, head, *[chunk] * 9, b"0\r\n\r\n", last)
        assert answers.startswith(b"HTTP/1.1 413 ")
        assert answers.endswith(b'\r\n\r\n"quick"')

    async def test_the_rest_of_a_body_that_never_comes_ends_the_connection(self, service: Small) -> None:
        head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n\r\n"
        answer = await said_to(service.public, head)  # which reads to the end
        assert answer.startswith(b"HTTP/1.1 413 ")

    async def test_a_body_in_one_piece_behind_its_head_is_no_head(self, service: Small) -> None:
        body = b'{"text": "%b"}' % (b"x" * 60_000)
        head = b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
        pieces = (head + b"content-length: %d\r\n\r\n" % len(body), body)
        answer = await said_to(service.public, *pieces, pause=0.05)
        assert answer.startswith(b"HTTP/1.1 200 ")

    async def test_an_answered_request_leaves_the_connection_usable(
        self, service: Small, client: httpx.AsyncClient
    ) -> None:
        """Also when its body arrives after the answer was given."""
        for _ in range(3):
            assert (await client.post(f"{service.public}/nothing", content=b"x" * 30_000)).status_code == 404
        assert (await client.get(f"{service.public}/quick")).status_code == 200

    async def test_an_unexpected_error_is_a_problem_and_one_line_of_the_log(
        self, service: Small, client: httpx.AsyncClient
    ) -> None:
        answer = await client.get(f"{service.public}/broken")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        line = json.loads(await service.until('"request_failed"'))
        assert line["request_id"] == answer.headers["x-request-id"]
        assert "RuntimeError: hunter2" in line["exception"]
        assert (await client.get(f"{service.public}/quick")).status_code == 200
        service.process.send_signal(signal.SIGTERM)
        await service.ended()
        assert sum("hunter2" in one for one in service.lines) == 1
