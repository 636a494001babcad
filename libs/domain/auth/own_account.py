"""What people change about their own account."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from libs.domain.auth.dto import PASSWORD_MAX_BYTES, Account, NewPassword, Password, Username
from libs.domain.auth.lanes import HASHING
from libs.messaging.contract import Empty, Event, Operation, Patch, Reply, Request, delete, patch, post

METADATA_MAX_BYTES = 4096
_ZERO = re.compile(r"(?<!\\)(\\\\)*\\u0000")  # as JSON writes it; no text of PostgreSQL holds one


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    """What the database can keep as JSON, and not much of it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except ValueError:
        raise PydanticCustomError("metadata_not_json", "Numbers must be finite, and texts valid") from None
    if size > METADATA_MAX_BYTES:
        raise PydanticCustomError("metadata_too_large", "The metadata have at most 4,096 bytes as JSON")
    if _ZERO.search(text):
        raise PydanticCustomError("metadata_zero", "No text may hold the character U+0000")
    return value


Metadata: TypeAlias = Annotated[
    dict[str, Any],
    Field(
        description="A JSON object of the product's own, at most 4,096 bytes.", examples=[{"theme": "dark"}]
    ),
    AfterValidator(_metadata),
]


class UpdateMeRequest(Patch):
    """What changes; `username` null gives the name up, `metadata` replaces what was there."""

    username: Username | None = None
    metadata: Metadata = Field(default_factory=dict)


class DeleteMeRequest(Request):
    """The password, unless the sign-in is recent."""

    password: str | None = Field(
        None,
        min_length=1,
        max_length=PASSWORD_MAX_BYTES,
        repr=False,
        examples=["seven green bottles"],
        json_schema_extra={"format": "password"},
    )


class ChangePasswordRequest(Request):
    """A new password, by whoever knows the present one."""

    current_password: Password
    new_password: NewPassword
    end_api_keys: bool = Field(
        default=False, strict=True, description="Whether the account's API keys end as well."
    )


class AccountUpdated(Reply):
    """Some fields of an account changed; ``changed`` names them."""

    account_id: UUID
    changed: tuple[str, ...]


class AccountDeleted(Reply):
    """An account is gone for good: forget what you hold of it."""

    account_id: UUID


class PasswordChanged(Reply):
    """An account has another password, and no session but the one that changed it."""

    account_id: UUID


UPDATE_ME = Operation(
    "auth.update_me",
    UpdateMeRequest,
    Account,
    http=patch("/v1/auth/me"),
    idempotent=True,
    summary="Change the username, which asks for a recent sign-in, or the metadata of the account",
)
DELETE_ME = Operation(
    "auth.delete_me",
    DeleteMeRequest,
    Empty,
    http=delete("/v1/auth/me", body=True),
    lane=HASHING,
    summary="Delete the account; asks for the password or a recent sign-in",
)
CHANGE_PASSWORD = Operation(
    "auth.change_password",
    ChangePasswordRequest,
    Empty,
    http=post("/v1/auth/password", status=204),
    lane=HASHING,
    summary="Change the password and end the other sessions",
)

OWN_ACCOUNT_OPERATIONS = (UPDATE_ME, DELETE_ME, CHANGE_PASSWORD)

ACCOUNT_UPDATED = Event("auth.account.updated", AccountUpdated)
ACCOUNT_DELETED = Event("auth.account.deleted", AccountDeleted)
PASSWORD_CHANGED = Event("auth.password.changed", PasswordChanged)

OWN_ACCOUNT_EVENTS = (ACCOUNT_UPDATED, ACCOUNT_DELETED, PASSWORD_CHANGED)
