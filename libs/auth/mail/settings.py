"""The settings of the e-mail flows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MailSettings(BaseModel):
    """What is confirmed by e-mail, and how letters look."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    verification: Literal["optional", "required"] = Field(
        "optional",
        validation_alias="AUTH_EMAIL_VERIFICATION",
        description="`required`: nobody signs in before the address is verified, and registering never tells whether "
        "an address is taken; needs AUTH_SMTP_URL.",
    )
    code_seconds: int = Field(
        600,
        ge=60,
        le=600,
        validation_alias="AUTH_MAIL_CODE_SECONDS",
        description="How long a code from a letter is good (s).",
    )
    attempts: int = Field(
        5,
        ge=1,
        le=10,
        validation_alias="AUTH_MAIL_CODE_ATTEMPTS",
        description="Codes that may be tried for one request.",
    )
    failures: int = Field(
        100,
        ge=1,
        le=100,
        validation_alias="AUTH_MAIL_CODE_FAILURES",
        description="Wrong codes in a row for one address, whatever the request, after which its letters carry 20 digits in "
        "place of 8, until there was none for `AUTH_THROTTLE_MEMORY`.",
    )
    address_per_hour: int = Field(
        6,
        ge=0,
        validation_alias="AUTH_MAIL_ADDRESS_PER_HOUR",
        description="Letters of one purpose that one client address may ask for to one address in an hour, in a burst or spread, "
        "and as many each known device; 0 is no limit.",
    )
    address_total_per_hour: int = Field(
        20,
        ge=0,
        validation_alias="AUTH_MAIL_ADDRESS_TOTAL_PER_HOUR",
        description="Letters of one purpose that all clients but known devices may ask for to one address in an hour, in a burst or "
        "spread; 0 is no limit.",
    )
    client_per_hour: int = Field(
        60,
        ge=0,
        validation_alias="AUTH_MAIL_CLIENT_PER_HOUR",
        description="Letters that one client address may ask for in an hour, in a burst or spread; 0 is no limit.",
    )
    templates: str | None = Field(
        None,
        validation_alias="AUTH_MAIL_TEMPLATES",
        description="Folder whose templates come before the shipped ones (`en/reset.txt`, ...), read at the start.",
    )
    locale: str = Field(
        "en",
        pattern=r"^[a-z]{2,3}$",
        validation_alias="AUTH_MAIL_LOCALE",
        description="Language of letters where neither the account nor the request says one that there are templates for.",
    )
    product: str = Field(
        "Gatehouse",
        min_length=1,
        max_length=100,
        validation_alias="AUTH_MAIL_PRODUCT",
        description="What the product calls itself in letters.",
    )
