"""What auth_svc may answer instead of a reply.

AppError
├── ScopeInvalid         auth.scope_invalid         400
├── InvalidCredentials   auth.invalid_credentials   401
├── TokenExpired         auth.token_expired         401
├── SessionEnded         auth.session_ended         401
├── RefreshInvalid       auth.refresh_invalid       401
├── ClientInvalid        auth.client_invalid        401
├── CodeInvalid          auth.code_invalid          401
├── SignInTooOld         auth.sign_in_too_old       401
├── EmailUnverified      auth.email_unverified      403
├── SessionNotFound      auth.session_not_found     404
├── ApiKeyNotFound       auth.api_key_not_found     404
├── AccountNotFound      auth.account_not_found     404
├── LastAdmin            auth.last_admin            409
├── TooManyApiKeys       auth.too_many_api_keys     409
├── AccountExists        auth.account_exists        409
├── EmailVerified        auth.email_verified        409
├── TooManyAttempts      auth.too_many_attempts     429
└── MailOff              auth.mail_off              503

`TokenInvalid` and `Forbidden` are those of `libs.messaging`, as every service judges who may call. The gateway raises what is
about tokens itself, where it needs no answer from auth_svc.
"""

from __future__ import annotations

from libs.messaging.errors import AppError


class InvalidCredentials(AppError):
    """The login or the password is wrong; which of them is not told."""

    code = "auth.invalid_credentials"
    status = 401
    title = "The login or the password is wrong"


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


class CodeInvalid(AppError):
    """The code is wrong, expired, used, of another request, or was tried too often: ask for a new one."""

    code = "auth.code_invalid"
    status = 401
    title = "The code is not valid"


class SignInTooOld(AppError):
    """The token is good, and this asks for a sign-in that is more recent: sign in again, and repeat it."""

    code = "auth.sign_in_too_old"
    status = 401
    title = "This asks for a more recent sign-in"


class EmailUnverified(AppError):
    """The password is right, and nobody signs in before the address is verified: reset it, or sign in with a code."""

    code = "auth.email_unverified"
    status = 403
    title = "The e-mail address is not verified"


class EmailVerified(AppError):
    """The account's address is verified already."""

    code = "auth.email_verified"
    status = 409
    title = "The e-mail address is verified already"


class MailOff(AppError):
    """No mail server is set, so nothing can be confirmed by e-mail."""

    code = "auth.mail_off"
    status = 503
    title = "There is no e-mail here"


class SessionNotFound(AppError):
    """The account has no such session."""

    code = "auth.session_not_found"
    status = 404
    title = "There is no such session"


class ClientInvalid(AppError):
    """The service account is unknown or disabled, or its secret is wrong; which of them is not told."""

    code = "auth.client_invalid"
    status = 401
    title = "The client or its secret is wrong"


class ScopeInvalid(AppError):
    """The service account has fewer scopes than it asks for."""

    code = "auth.scope_invalid"
    status = 400
    title = "The client does not have these scopes"


class ApiKeyNotFound(AppError):
    """The caller has no such API key, or it was revoked already."""

    code = "auth.api_key_not_found"
    status = 404
    title = "There is no such API key"


class TooManyApiKeys(AppError):
    """The account has as many API keys as it may: revoke one first."""

    code = "auth.too_many_api_keys"
    status = 409
    title = "There are too many API keys"


class AccountNotFound(AppError):
    """Nobody has this id, or the account was deleted."""

    code = "auth.account_not_found"
    status = 404
    title = "There is no such account"


class LastAdmin(AppError):
    """It is the only account that can administer: give the role to another one first."""

    code = "auth.last_admin"
    status = 409
    title = "This is the last account with the role admin"


class AccountExists(AppError):
    """The e-mail address or the username belongs to an account already."""

    code = "auth.account_exists"
    status = 409
    title = "There is an account with this e-mail address or username"


class TooManyAttempts(AppError):
    """Too many attempts failed, or one address asked too often: try again after `Retry-After`."""

    code = "auth.too_many_attempts"
    status = 429
    title = "Too many attempts; try again later"
