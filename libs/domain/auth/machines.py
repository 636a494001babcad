"""How programs prove themselves: service accounts by client credentials, people's programs by API keys."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from libs.messaging.contract import PUBLIC, SERVICES, Empty, Operation, Reply, Request, delete, get, post

API_KEY_PREFIX = "ghk_"
"""What every API key begins with; no signed token does."""
API_KEY_PATTERN = r"^ghk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$"
SCOPE_MAX = 1000  # characters
_SCOPE_WORD = r"[!#-\[\]-~]{1,100}"  # printable ASCII but quote and backslash
_SCOPE_PATTERN = rf"^ *({_SCOPE_WORD}( +{_SCOPE_WORD})* *)?$"


def _scope(value: str) -> str:
    """Scope tokens of RFC 6749, section 3.3, each once, in order."""
    return " ".join(sorted(set(value.split())))


ScopeText: TypeAlias = Annotated[
    str,
    Field(
        max_length=SCOPE_MAX,
        pattern=_SCOPE_PATTERN,
        description="Scopes, separated by spaces (RFC 6749, section 3.3).",
        examples=["notes:read notes:write"],
    ),
    AfterValidator(_scope),
]


# C0 and C1, line and paragraph ends, and what turns the direction of the text around it.
_NOT_SHOWN = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
ApiKeyName: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=rf"^[^{_NOT_SHOWN}]*[^\s{_NOT_SHOWN}][^{_NOT_SHOWN}]*$",
        description="One line that is not blank, without control characters.",
        examples=["backup job"],
    ),
]


class TokenRequest(Request):
    """A service account asks for an access token (RFC 6749, section 4.4.2)."""

    grant_type: Literal["client_credentials"]
    client_id: str = Field(min_length=1, max_length=64, examples=["01890a5d-ac96-774b-bcce-b302099a8057"])
    client_secret: str = Field(min_length=1, max_length=128, repr=False)
    scope: ScopeText | None = Field(
        None, description="Fewer scopes than the service account has; all if left out."
    )


class ServiceToken(Reply):
    """An access token of a service account (RFC 6749, section 5.1); there is no refresh token."""

    access_token: str = Field(repr=False, description="A signed JWT (RFC 9068).")
    # ruff: ignore[hardcoded-password-string]  # the scheme's name (RFC 6750)
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[600])
    scope: str


class CreateApiKeyRequest(Request):
    """A key for a program of the caller's own."""

    name: ApiKeyName
    scope: ScopeText = ""
    expires_in: int | None = Field(
        None,
        ge=60,
        description="Seconds until it expires; AUTH_API_KEY_SECONDS if left out, and at most that.",
    )


class ApiKey(Reply):
    """An API key as its owner sees it."""

    id: UUID
    name: str
    scope: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None = Field(description="To about a minute.")


class NewApiKey(ApiKey):
    """A new API key, with the secret that is shown this once."""

    key: str = Field(repr=False, description="What the program shows as `Authorization: Bearer ...`.")


class ApiKeyList(Reply):
    """The caller's API keys that are good, newest first."""

    keys: tuple[ApiKey, ...]


class ApiKeyRef(Request):
    """One API key."""

    id: UUID


class ValidateApiKeyRequest(Request):
    """An API key to be checked."""

    key: str = Field(pattern=API_KEY_PATTERN, repr=False)


class ApiKeyValidation(Reply):
    """Whose key it is and what it allows, while it is good."""

    active: bool
    id: UUID | None = None
    account_id: UUID | None = None
    scope: str = ""
    expires_at: AwareDatetime | None = None


TOKEN = Operation(
    "auth.token",
    TokenRequest,
    ServiceToken,
    access=PUBLIC,
    http=post("/v1/auth/token", no_store=True, oauth=True),
    idempotent=True,
    summary="An access token for a service account, by client credentials",
)
CREATE_API_KEY = Operation(
    "auth.create_api_key",
    CreateApiKeyRequest,
    NewApiKey,
    http=post("/v1/auth/api-keys", status=201),
    summary="Make an API key; it is shown this once",
)
API_KEYS = Operation(
    "auth.api_keys",
    Empty,
    ApiKeyList,
    http=get("/v1/auth/api-keys"),
    idempotent=True,
    summary="The API keys of this account",
)
REVOKE_API_KEY = Operation(
    "auth.revoke_api_key",
    ApiKeyRef,
    Empty,
    http=delete("/v1/auth/api-keys/{id}"),
    idempotent=True,
    summary="Refuse an API key from now on",
)
VALIDATE_API_KEY = Operation(
    "auth.validate_api_key",
    ValidateApiKeyRequest,
    ApiKeyValidation,
    access=SERVICES,
    idempotent=True,
    summary="Check an API key",
)

MACHINE_OPERATIONS = (TOKEN, CREATE_API_KEY, API_KEYS, REVOKE_API_KEY, VALIDATE_API_KEY)
