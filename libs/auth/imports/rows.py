"""One account of another system, as it must be to become one of ours."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from libs.auth.hash_formats import HashRefused, read_hash
from libs.domain.auth import Email, Metadata, Username
from libs.messaging.contract import Request


def _password_hash(text: str) -> str | None:
    """A hash that can be verified within bounds; none where Django says that the password is unusable."""
    if text.startswith("!"):
        return None
    try:
        read_hash(text).check()
    except HashRefused as refusal:
        raise PydanticCustomError("password_hash", "{reason}", {"reason": str(refusal)}) from None
    return text


class ImportedAccount(Request):
    """The fields of a record; without a hash the account has no password until its owner sets one by mail."""

    email: Email
    username: Username | None = None
    password_hash: Annotated[str, Field(max_length=512), AfterValidator(_password_hash)] | None = Field(
        default=None, repr=False
    )
    email_verified: bool = False
    created_at: AwareDatetime | None = None
    metadata: Metadata = Field(default_factory=dict)
    id: UUID | None = None
