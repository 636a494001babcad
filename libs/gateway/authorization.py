"""Who may come in: every request that is not public shows an access token, and most are judged without any I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog
from pydantic import BaseModel, ConfigDict, Field

from libs.domain.auth import Claims, Forbidden, SessionEnded, SignInTooOld, TokenExpired, TokenInvalid
from libs.gateway.api_keys import ApiKeys
from libs.gateway.bearer import Bearer
from libs.gateway.keys import PublicKeys
from libs.gateway.revocation import Revocations
from libs.infra.jwt import TokenOutdated, TokenRejected, TokenVerifier, UnknownKey
from libs.messaging import PUBLIC, SERVICES, Access, AppError, Identity, Subject, permit

_log = structlog.get_logger(__name__)


class TokenCacheSettings(BaseModel):
    """How many verified tokens are remembered."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    size: int = Field(
        10_000,
        ge=0,
        validation_alias="GATEWAY_TOKEN_CACHE",
        description="Verified access tokens remembered by one process, about 2 KB each.",
    )


class TokenMissing(TokenInvalid):
    """The request shows no access token."""


class Authorization:
    """Judges access tokens: signature and claims once per token, expiry and revocation every time."""

    def __init__(
        self,
        verifier: TokenVerifier[Claims],
        keys: PublicKeys,
        revocations: Revocations,
        *,
        api_keys: ApiKeys | None = None,
        cache_size: int = 10_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._verifier = verifier
        self._keys = keys
        self._revocations = revocations
        self._api_keys = api_keys
        self._cache: dict[str, Bearer] = {}
        self._cache_size = cache_size
        self._cache_generation = keys.generation
        self._now = now

    async def admit(self, access: Access, authorization: bytes | None) -> Identity | None:
        """Who calls, by the value of the ``Authorization`` header; None where nobody needs to be known.

        Raises `TokenInvalid`, `TokenExpired` or `SessionEnded` (401), `Forbidden` where the token lacks the scope (403),
        `Unavailable` where revocations are not known (503).
        """
        if access is PUBLIC:
            return None
        bearer = await self.believe(_token(authorization))
        if access is SERVICES:
            raise Forbidden
        permit(access, bearer.identity)
        return bearer.identity

    async def believe(self, token: str) -> Bearer:
        """Who a token names; raises as `admit` does. Asks the auth service only for a key that is not known here."""
        if self._api_keys is not None and self._api_keys.recognises(token):
            bearer = await self._api_keys.believe(token)
        else:
            bearer = self._recall(token) or await self._verify(token)
        self._revocations.check(bearer.identity.sid, bearer.expires)
        return bearer

    def _recall(self, token: str) -> Bearer | None:
        if self._cache_generation != self._keys.generation:
            self._cache.clear()
            self._cache_generation = self._keys.generation
        bearer = self._cache.get(token)
        if bearer is not None and bearer.expires <= self._now():
            del self._cache[token]
            return None
        return bearer

    async def _verify(self, token: str) -> Bearer:
        try:
            claims = self._claims(token)
        except UnknownKey:
            await self._keys.look_again()
            try:
                claims = self._claims(token)
            except UnknownKey as error:
                raise TokenInvalid from error
        kind: Subject = "service" if claims.of_service else "account"
        identity = Identity(claims.sub, claims.sid, claims.scope, kind)
        bearer = Bearer(identity, claims.exp, self._verifier.signer(token))
        self._remember(token, bearer)
        return bearer

    def _claims(self, token: str) -> Claims:
        try:
            return self._verifier.verify(token)
        except UnknownKey:
            raise
        except TokenOutdated as error:
            raise TokenExpired from error
        except TokenRejected as error:
            _log.info("token_refused", reason=error.reason)
            raise TokenInvalid from error

    def _remember(self, token: str, bearer: Bearer) -> None:
        if not self._cache_size:
            return
        if len(self._cache) >= self._cache_size:
            del self._cache[next(iter(self._cache))]  # the oldest; it is verified again if it comes back
        self._cache[token] = bearer


def challenge(error: AppError, *, scope: str = "") -> Mapping[str, str]:
    """The headers that tell a bearer what was wrong with the token, or which scope it lacks (RFC 6750, section 3)."""
    if isinstance(error, Forbidden):
        needed = f', scope="{scope}"' if scope else ""
        return {"www-authenticate": f'Bearer error="insufficient_scope"{needed}'}
    if isinstance(error, SignInTooOld):  # RFC 9470, section 3
        return {
            "www-authenticate": f'Bearer error="insufficient_user_authentication", error_description="{error.title}"'
        }
    if isinstance(error, TokenInvalid | TokenExpired | SessionEnded) and not isinstance(error, TokenMissing):
        return {"www-authenticate": f'Bearer error="invalid_token", error_description="{error.title}"'}
    return {}


def _token(authorization: bytes | None) -> str:
    """The token of a ``Bearer`` header (RFC 6750, section 2.1), the only way that is supported."""
    if authorization is None or authorization[:7].lower() != b"bearer ":
        raise TokenMissing("an access token is needed: Authorization: Bearer ...")
    return authorization[7:].strip().decode("latin-1")
