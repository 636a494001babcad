from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from libs.app import LogSettings, configure_logging
from libs.app.logging import current_request_id
from libs.messaging import Caller, acting_for


@pytest.fixture
def configured() -> Iterator[None]:
    """JSON lines on standard output, and everything as before afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("configured")
class TestJson:
    def start(self, level: str = "info") -> None:
        configure_logging(LogSettings.model_validate({"level": level, "format": "json"}), service="gateway")

    def test_an_event_is_one_json_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.start()
        structlog.get_logger("libs.here").info("keys_loaded", count=2)
        found = line(capsys)
        assert found.pop("timestamp")
        assert found == {
            "event": "keys_loaded",
            "count": 2,
            "level": "info",
            "logger": "libs.here",
            "service": "gateway",
        }

    def test_the_standard_library_speaks_the_same_way(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.start()
        logging.getLogger("libs.amqp").warning("lost %s", "it", extra={"host": "broker"})
        found = line(capsys)
        assert (found["event"], found["level"], found["host"]) == ("lost it", "warning", "broker")

    def test_the_request_that_a_line_belongs_to_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.start()
        token = current_request_id.set("request-1")
        structlog.get_logger("libs.here").info("one")
        current_request_id.reset(token)
        assert line(capsys)["request_id"] == "request-1"
        with acting_for(Caller(request_id="request-2")):
            structlog.get_logger("libs.here").info("two")
        assert line(capsys)["request_id"] == "request-2"

    def test_an_exception_goes_into_its_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.start()
        structlog.get_logger("libs.here").error("failed", exc_info=ValueError("broken"))
        assert "ValueError: broken" in str(line(capsys)["exception"])

    def test_what_is_below_the_level_is_not_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.start("warning")
        structlog.get_logger("libs.here").info("unheard")
        logging.getLogger("libs.amqp").info("unheard")
        assert not capsys.readouterr().out

    def test_the_server_does_not_talk_about_its_starts(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.start()
        logging.getLogger("uvicorn.error").info("Started server process [1]")
        assert not capsys.readouterr().out


@pytest.mark.usefixtures("configured")
def test_text_is_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    configure_logging(LogSettings(), service="gateway")
    structlog.get_logger("libs.here").info("keys_loaded")
    written = capsys.readouterr().out
    assert "keys_loaded" in written
    assert not written.startswith("{")


@pytest.mark.usefixtures("configured")
def test_a_traceback_on_a_terminal_shows_no_locals(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSettings.model_validate({"format": "text"}), service="gateway")

    def fail(token: str) -> None:
        raise RuntimeError(f"of {len(token)} characters")

    try:
        fail("very" + "-secret")  # as a whole only in the local
    except RuntimeError:
        structlog.get_logger("libs.here").exception("it_failed")

    shown = capsys.readouterr().out
    assert "it_failed" in shown
    assert "of 11 characters" in shown
    assert "very-secret" not in shown
