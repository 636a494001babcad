"""Structured logs on standard output: JSON lines in production, readable on a terminal."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field

from libs.messaging import current_caller

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""The id of the HTTP request that this task answers."""


class LogSettings(BaseModel):
    """What is logged, and in which form."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="LOG_LEVEL", description="Least severity that is logged."
    )
    format: Literal["auto", "json", "text"] = Field(
        "auto",
        validation_alias="LOG_FORMAT",
        description="Form of the log lines; `auto` is `text` on a terminal and `json` elsewhere.",
    )


def is_text(settings: LogSettings) -> bool:
    """Whether lines are written for a person rather than for a machine."""
    return settings.format == "text" or (settings.format == "auto" and sys.stdout.isatty())


def configure_logging(settings: LogSettings, *, service: str) -> None:
    """Send structlog's and the standard library's events the same way; called once, before anything starts."""
    text = is_text(settings)
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service_name(service),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]  # no locals
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        own = logging.getLogger(name)
        own.handlers.clear()
        own.propagate = True
        own.setLevel(max(logging.WARNING, root.level))  # its start and stop are told by the service itself


def _add_request_id(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Name the request that a line belongs to, whether it came over HTTP or over the bus."""
    if request_id := current_request_id.get() or current_caller().request_id:
        event.setdefault("request_id", request_id)
    return event


def _service_name(service: str) -> structlog.typing.Processor:
    """Add the service's name to every event."""

    def add(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        return event

    return add
