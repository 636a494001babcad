"""What auth_svc may answer instead of a reply.

AppError
├── InvalidCredentials   auth.invalid_credentials   401
├── TokenInvalid         auth.token_invalid         401
├── TokenExpired         auth.token_expired         401
├── SessionEnded         auth.session_ended         401
├── RefreshInvalid       auth.refresh_invalid       401
├── Forbidden            auth.forbidden             403
└── AccountExists        auth.account_exists        409

The gateway raises the four about tokens and scopes itself, where it needs no answer from auth_svc.
"""

from __future__ import annotations

from libs.messaging.errors import AppError


class InvalidCredentials(AppError):
    """The login or the password is wrong; which of them is not told."""

    code = "auth.invalid_credentials"
    status = 401
    title = "The login or the password is wrong"


class TokenInvalid(AppError):
    """The access token is missing, or is not one of ours."""

    code = "auth.token_invalid"
    status = 401
    title = "The access token is not valid"


class TokenExpired(AppError):
    """The access token was ours, and its time is over: refresh it."""

    code = "auth.token_expired"
    status = 401
    title = "The access token has expired"


class SessionEnded(AppError):
    """The session of this token was ended: sign in again."""

    code = "auth.session_ended"
    status = 401
    title = "The session has ended"


class RefreshInvalid(AppError):
    """The refresh token is unknown, expired, or was used before: sign in again."""

    code = "auth.refresh_invalid"
    status = 401
    title = "The refresh token is not valid"


class Forbidden(AppError):
    """The access token is valid, and does not allow this."""

    code = "auth.forbidden"
    status = 403
    title = "The access token does not allow this"


class AccountExists(AppError):
    """The e-mail address or the username belongs to an account already."""

    code = "auth.account_exists"
    status = 409
    title = "There is an account with this e-mail address or username"
