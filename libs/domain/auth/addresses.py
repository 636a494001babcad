"""Addresses: what somebody may give as theirs."""

from __future__ import annotations

import unicodedata
from typing import Annotated, TypeAlias

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def _email(value: str) -> str:
    """The address as typed, if mail could be sent to it (no look-up is made), and to what NFKC makes of it.

    That form names the account: of another one, U+FE6B would be a second `@`, and U+00B4 a blank.
    """
    if "=?" in value:  # a header would read it as an encoded word (RFC 2047), and so as another address
        raise PydanticCustomError("email", "The part before the @-sign must not look like an encoded word.")
    try:
        for form in {value, unicodedata.normalize("NFKC", value)}:
            validate_email(form, check_deliverability=False)
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "{reason}", {"reason": str(error)}) from None
    return value


Email: TypeAlias = Annotated[
    str,
    Field(max_length=254, examples=["ann@example.com"], json_schema_extra={"format": "email"}),
    AfterValidator(_email),
]
