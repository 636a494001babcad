"""What the operations and events of auth_svc carry; every field is bounded."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from libs.domain.auth.addresses import Email
from libs.messaging.contract import Reply, Request

PASSWORD_FLOOR = 8
"""Characters below which no setting can go (OWASP ASVS 5.0, 6.2.1)."""
PASSWORD_MAX_BYTES = 1024
ACCESS_TOKEN_MAX = 4096
REVOCATIONS_PAGE = 5000
REVOKED_AT_ONCE = 1000
"""Sessions that one event tells of at most."""


def _password(value: str) -> str:
    if len(value.encode()) > PASSWORD_MAX_BYTES:
        raise PydanticCustomError("password_too_long", "A password has at most 1,024 bytes")
    return value


Username: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{2,31}$",
        description="Stored in lower case; never looks like an e-mail address.",
        examples=["ann"],
    ),
    AfterValidator(str.lower),
]
# repr=False keeps a secret out of whatever prints a DTO.
Password: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=PASSWORD_MAX_BYTES,
        repr=False,
        examples=["seven green bottles"],
        json_schema_extra={"format": "password"},
    ),
    AfterValidator(_password),
]
NewPassword: TypeAlias = Annotated[
    str,
    Field(
        min_length=PASSWORD_FLOOR,
        max_length=PASSWORD_MAX_BYTES,
        repr=False,
        description="At least as long as AUTH_PASSWORD_MIN_LENGTH says, and not a common password.",
        examples=["seven green bottles"],
        json_schema_extra={"format": "password"},
    ),
    AfterValidator(_password),
]
RefreshToken: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{43}$",
        repr=False,
        description="256 random bits in base64url; opaque to clients.",
        examples=["Y2FuIHlvdSByZWFkIHRoaXM_IHllcywgeW91IGNhbiE"],
    ),
]


DeviceToken: TypeAlias = Annotated[
    str,
    Field(
        max_length=128,
        description="Names a device on which the account has signed in before; opaque to clients.",
        examples=["dGhlIGRldmljZSBvbiBBbm4ncyBkZXNrAGkgd2FzIGhlcmUh"],
    ),
]


class RegisterRequest(Request):
    """A new account."""

    email: Email
    password: NewPassword
    username: Username | None = None


class Account(Reply):
    """An account as its owner sees it."""

    id: UUID
    email: str = Field(examples=["ann@example.com"])
    username: str | None = Field(examples=["ann"])
    email_verified: bool
    created_at: AwareDatetime
    metadata: dict[str, Any] = Field({}, description="What the product keeps beside it.")


class LoginRequest(Request):
    """Who wants to sign in: ``login`` is an e-mail address or a username."""

    login: str = Field(min_length=1, max_length=254, examples=["ann@example.com"])
    password: Password
    device_token: DeviceToken | None = Field(default=None, repr=False)


class RefreshRequest(Request):
    """The refresh token of a session, to be exchanged for new tokens."""

    refresh_token: RefreshToken


class TokenPair(Reply):
    """The tokens of a session (RFC 6749, section 5.1); the refresh token is good for one use."""

    access_token: str = Field(repr=False, description="A signed JWT (RFC 9068).")
    # ruff: ignore[hardcoded-password-string]  # the scheme's name (RFC 6750)
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[600])
    refresh_token: RefreshToken
    refresh_expires_in: int = Field(
        description="Seconds until the refresh token expires if it is not used.", examples=[1_209_600]
    )
    session_id: UUID


class LoginReply(TokenPair):
    """The tokens of a new session; the device token is for the next sign-in to this account on this device."""

    device_token: DeviceToken = Field(repr=False)


class ValidateRequest(Request):
    """An access token to be checked, also against its session."""

    access_token: str = Field(min_length=1, max_length=ACCESS_TOKEN_MAX, repr=False)


class Claims(Reply):
    """What an access token says (RFC 9068, section 2.2); times are Unix seconds."""

    iss: str
    aud: str
    sub: str
    client_id: str
    sid: str
    jti: str
    iat: int
    exp: int
    scope: str
    auth_time: int
    amr: tuple[str, ...]
    nbf: int | None = None
    ext: dict[str, Any] | None = Field(None, description="What a service of the product's own added.")

    @property
    def of_service(self) -> bool:
        """Whether it names a service account: one that is its own client."""
        return self.sub == self.client_id


class Validation(Reply):
    """The claims of a good token, or the reason why it is none."""

    active: bool
    claims: Claims | None = None
    reason: str = Field("", description="The error code that a bearer of this token would get.")


class EcKey(Reply):
    """A public key on an elliptic curve (RFC 7518, section 6.2)."""

    kty: Literal["EC"]
    kid: str
    use: Literal["sig"]
    alg: str
    crv: str
    x: str
    y: str


class OkpKey(Reply):
    """A public Edwards-curve key (RFC 8037, section 2)."""

    kty: Literal["OKP"]
    kid: str
    use: Literal["sig"]
    alg: str
    crv: str
    x: str


class RsaKey(Reply):
    """A public RSA key (RFC 7518, section 6.3)."""

    kty: Literal["RSA"]
    kid: str
    use: Literal["sig"]
    alg: str
    n: str
    e: str


class KeySet(Reply):
    """The public keys that verify access tokens (JWK Set, RFC 7517, section 5), also the one that signs next."""

    keys: tuple[Annotated[EcKey | OkpKey | RsaKey, Field(discriminator="kty")], ...]


class RevocationsRequest(Request):
    """A page of the revoked sessions: those after the session ``after`` in the order of ids."""

    after: UUID | None = None


class RevokedSession(Reply):
    """A session whose access tokens must be refused, and until when one of them could be alive (Unix seconds)."""

    session_id: UUID
    until: int


class Revocations(Reply):
    """One page of revoked sessions, at most `REVOCATIONS_PAGE`; ``next`` asks for the following one."""

    sessions: tuple[RevokedSession, ...]
    next: UUID | None = None


RevocationReason: TypeAlias = Literal[
    "logout",
    "logout_all",
    "logout_others",
    "ended_elsewhere",
    "refresh_reused",
    "password_changed",
    "password_reset",
    "email_verified",
    "email_changed",
    "account_disabled",
    "account_deleted",
    "role_taken",
    "factors_reset",
    "ended_by_admin",
    "secret_replaced",
    "service_disabled",
    "api_key_revoked",
]


class SessionsRevoked(Reply):
    """Sessions of an account ended before their time, at most `REVOKED_AT_ONCE`.

    Refuse their access tokens; none of them lives after ``until`` (Unix seconds).
    """

    account_id: UUID
    session_ids: tuple[UUID, ...]
    reason: RevocationReason
    until: int


class AccountRegistered(Reply):
    """An account came into being."""

    account_id: UUID
    email: str
    username: str | None
    created_at: AwareDatetime


class AccountDisabled(Reply):
    """An account was shut: it cannot sign in, and its sessions have ended."""

    account_id: UUID


class KeysRotated(Reply):
    """The set of public keys changed: ask for it again. ``kid`` names the key that signs now."""

    kid: str
