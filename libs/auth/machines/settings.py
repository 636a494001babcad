"""The settings of API keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ApiKeySettings(BaseModel):
    """How many API keys an account may have, and for how long."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    seconds: int = Field(
        7_776_000,
        ge=60,
        validation_alias="AUTH_API_KEY_SECONDS",
        description="Longest life of an API key, and its life where none is asked for (s).",
    )
    per_account: int = Field(
        25,
        ge=0,
        validation_alias="AUTH_API_KEYS_PER_ACCOUNT",
        description="API keys that one account may have.",
    )
