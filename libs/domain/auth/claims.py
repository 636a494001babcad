"""Claims of the product's own in access tokens: what a service must answer that adds some.

The service declares its operation with `claims_operation`, under the name that AUTH_CLAIMS_OPERATION says.
"""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from libs.messaging.contract import SERVICES, Operation, Reply, Request

EXTRA_CLAIMS_MAX_BYTES = 1024


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except ValueError:
        raise PydanticCustomError("claims_not_json", "Numbers must be finite, and texts valid") from None
    if size > EXTRA_CLAIMS_MAX_BYTES:
        raise PydanticCustomError("claims_too_large", "The claims have at most 1,024 bytes as JSON")
    return value


class ClaimsRequest(Request):
    """A token is about to be made for this session of this account, with these scopes."""

    account_id: UUID
    session_id: UUID
    scope: str


class ExtraClaims(Reply):
    """What the token says beside: a JSON object of at most 1,024 bytes, as its claim `ext`."""

    claims: Annotated[dict[str, Any], Field(examples=[{"plan": "pro"}]), AfterValidator(_bounded)] = Field(
        default_factory=dict
    )


def claims_operation(name: str, *, timeout: float = 0.5) -> Operation[ClaimsRequest, ExtraClaims]:
    """The operation of this name that adds claims; ``timeout`` in seconds. It may be asked twice for one token."""
    return Operation(
        name,
        ClaimsRequest,
        ExtraClaims,
        access=SERVICES,
        idempotent=True,
        timeout=timeout,
        summary="Claims for an access token",
    )
