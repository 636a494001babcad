from __future__ import annotations

import io
import json

from typing_extensions import override

from libs.app.access_log import Access, AccessLog, json_line, text_line

ACCESS = Access(
    at=1_800_000_000.5,
    method="GET",
    route="/v1/things",
    path="/v1/things",
    status=200,
    seconds=0.0123,
    client="192.0.2.1",
    request_id="0193e2d4-5c1f-7d8e",
)


def test_a_line_is_json() -> None:
    line = json.loads(json_line("gateway", ACCESS))
    assert line == {
        "timestamp": "2027-01-15T08:00:00.500000+00:00",
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


def test_lines_are_written_together() -> None:
    class Stream(io.StringIO):
        writes = 0

        @override
        def write(self, text: str, /) -> int:
            self.writes += 1
            return super().write(text)

    stream = Stream()
    AccessLog("gateway", stream).write([ACCESS, ACCESS])
    assert stream.getvalue().count("\n") == 2
    assert stream.writes == 1
