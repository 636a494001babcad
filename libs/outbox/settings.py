"""The settings of the outbox."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class OutboxSettings(BaseModel):
    """How events leave the database."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    poll_interval: float = Field(
        1.0,
        gt=0,
        le=60,
        validation_alias="OUTBOX_POLL_INTERVAL",
        description="How often events that nobody announced are looked for (s).",
    )
    batch: int = Field(
        100,
        ge=1,
        le=1000,
        validation_alias="OUTBOX_BATCH",
        description="Events that are published before their confirms are waited for.",
    )
    confirm_timeout: float = Field(
        2.0,
        gt=0,
        le=5,
        validation_alias="OUTBOX_CONFIRM_TIMEOUT",
        description="How long the broker's confirms for a batch are waited for (s).",
    )
    retry_limit: float = Field(
        60.0,
        gt=0,
        validation_alias="OUTBOX_RETRY_LIMIT",
        description="Longest pause before an event that the broker refused is sent again (s).",
    )
    retention: float = Field(
        86_400.0,
        ge=0,
        validation_alias="OUTBOX_RETENTION",
        description="How long sent events, and the marks of received ones, are kept (s).",
    )
