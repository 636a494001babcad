"""Extra claims: what a service of the product's own adds to access tokens, asked within a deadline.

They are the one claim `ext` of a token, so whatever they are called, they replace none that decides anything.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from libs.domain.auth import ClaimsRequest, claims_operation
from libs.messaging import AppError, Bus, Unavailable

_log = structlog.get_logger(__name__)


def _foreign(name: str) -> str:
    if name and claims_operation(name).service == "auth":
        raise ValueError("must be an operation of another service")
    return name


class ClaimsSettings(BaseModel):
    """Who adds claims to access tokens."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    operation: Annotated[str, AfterValidator(_foreign)] = Field(
        "",
        validation_alias="AUTH_CLAIMS_OPERATION",
        description="Operation of your own, as `billing.claims`, asked at each sign-in and refresh for claims of the"
        " token; empty is none.",
    )
    timeout: float = Field(
        0.5,
        gt=0,
        le=5,
        validation_alias="AUTH_CLAIMS_TIMEOUT",
        description="How long a sign-in or refresh waits for its claims (s).",
    )
    required: bool = Field(
        False,
        validation_alias="AUTH_CLAIMS_REQUIRED",
        description="Refuse with 503 where the claims cannot be had, instead of a token without them.",
    )


class ExtraClaimsSource:
    """Asks for the claims of a token that is about to be made; without a bus or an operation there are none."""

    def __init__(self, settings: ClaimsSettings, bus: Bus | None) -> None:
        self._required = settings.required
        self._bus = bus if settings.operation else None
        if settings.operation:
            self._operation = claims_operation(settings.operation, timeout=settings.timeout)

    @property
    def asks(self) -> bool:
        """Whether there is anybody to ask."""
        return self._bus is not None

    async def of(self, account_id: UUID, session_id: UUID, scope: str) -> dict[str, Any] | None:
        """The claims; None without any. Raises `Unavailable` where they are required and cannot be had."""
        if self._bus is None:
            return None
        request = ClaimsRequest(account_id=account_id, session_id=session_id, scope=scope)
        try:
            return (await self._bus.call(self._operation, request)).claims or None
        except AppError as error:
            _log.warning(
                "claims_missing",
                operation=self._operation.name,
                account_id=str(account_id),
                code=error.code,
                required=self._required,
            )
            if self._required:
                raise Unavailable("the claims of the token cannot be had") from error
            return None
