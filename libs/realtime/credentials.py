"""What tokens make of a client, whoever issued them."""

from __future__ import annotations

from http import HTTPStatus

from libs.domain.auth import TokenExpired
from libs.messaging import AppError
from libs.realtime import codes
from libs.realtime.codes import Disconnected, Refused
from libs.realtime.grants import Grant, check_not_over
from libs.realtime.membership import Who
from libs.realtime.ports import Verify
from libs.realtime.tokens import (
    ConnectionClaims,
    SharedSecret,
    SubscriptionClaims,
    TokenOver,
    TokenRefused,
)


class Credentials:
    """Judges what clients show: access tokens by ``verify``, tokens of other back ends by the ``secret``."""

    def __init__(self, verify: Verify, *, secret: SharedSecret | None, anonymous: bool) -> None:
        self._verify = verify
        self._secret = secret
        self._anonymous = anonymous

    async def connection(self, token: str) -> Who:
        """Whom a connection token names; raises what the protocol says about one that is no good."""
        if not token:
            if not self._anonymous:
                raise Disconnected(codes.BAD_COMMAND)
            return Who("")
        if self._secret is not None and self._secret.signed(token):
            return self._foreign(self._secret, token)
        return await self._account(token)

    def subscription(self, token: str, *, user: str, channel: str, client: str) -> SubscriptionClaims:
        """What a subscription token says; raises `TokenRefused`, or `Disconnected` for a token of somebody else."""
        if self._secret is None:
            raise TokenRefused("there is no secret to hold it against")
        claims = self._secret.verify(token, SubscriptionClaims)
        if claims.sub != user or claims.channel != channel or claims.client not in {"", client}:
            raise Disconnected(codes.INVALID_TOKEN)
        return claims

    def _foreign(self, secret: SharedSecret, token: str) -> Who:
        try:
            claims = secret.verify(token, ConnectionClaims)
        except TokenOver as error:
            raise Refused(codes.TOKEN_EXPIRED) from error
        except TokenRefused as error:
            raise Disconnected(codes.INVALID_TOKEN) from error
        check_not_over(claims.expires_at)
        if not claims.sub and not self._anonymous:
            raise Disconnected(codes.FORBIDDEN)
        return Who(
            claims.sub,
            expires_at=claims.expires_at,
            info=claims.about,
            channels={
                **{name: Grant() for name in claims.channels},
                **{name: Grant(info=one.about, data=one.told) for name, one in claims.subs.items()},
            },
        )

    async def _account(self, token: str) -> Who:
        try:
            verified = await self._verify(token)
        except TokenExpired as error:
            raise Refused(codes.TOKEN_EXPIRED) from error
        except AppError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                raise Disconnected(codes.INVALID_TOKEN) from error
            if error.status == HTTPStatus.FORBIDDEN:
                raise Disconnected(codes.FORBIDDEN) from error
            raise
        return Who(verified.identity.sub, verified.identity, verified.expires, key=verified.key)
