from __future__ import annotations

import asyncio
import io
import json

from typing_extensions import override

from libs.app.access_log import Access, AccessLog, json_line, text_line

ACCESS = Access("GET", "/v1/things", 200, 0.0123, "192.0.2.1", "0193e2d4-5c1f-7d8e")


def test_a_line_is_json() -> None:
    line = json.loads(json_line("gateway", ACCESS))
    assert line.pop("timestamp")
    assert line == {
        "event": "request",
        "method": "GET",
        "path": "/v1/things",
        "status": 200,
        "duration_ms": 12.3,
        "client": "192.0.2.1",
        "request_id": "0193e2d4-5c1f-7d8e",
        "level": "info",
        "service": "gateway",
    }


def test_a_path_cannot_forge_a_line() -> None:
    access = ACCESS._replace(path='/"}\n{"event": "forged')
    assert json_line("gateway", access).count("\n") == 1
    assert json.loads(json_line("gateway", access))["path"] == access.path
    assert text_line("gateway", access).count("\n") == 1


def test_a_path_is_bounded() -> None:
    assert len(json_line("gateway", ACCESS._replace(path="/" + "x" * 10_000))) < 1000


async def test_the_lines_of_one_turn_are_written_at_once() -> None:
    class Stream(io.StringIO):
        writes = 0

        @override
        def write(self, text: str, /) -> int:
            self.writes += 1
            return super().write(text)

    stream = Stream()
    log = AccessLog("gateway", stream)
    log.write(ACCESS)
    log.write(ACCESS)
    assert not stream.getvalue()
    await asyncio.sleep(0)
    assert stream.getvalue().count("\n") == 2
    assert stream.writes == 1
    log.write(ACCESS)
    await asyncio.sleep(0)
    assert stream.getvalue().count("\n") == 3
