"""Who may call an operation: what its contract says, judged at the gateway and once more by the service.

AppError
├── TokenInvalid    auth.token_invalid    401
└── Forbidden       auth.forbidden        403
"""

from __future__ import annotations

from libs.messaging.caller import Identity
from libs.messaging.contract import Access
from libs.messaging.errors import AppError


class TokenInvalid(AppError):
    """The access token is missing, or is not one of ours."""

    code = "auth.token_invalid"
    status = 401
    title = "The access token is not valid"


class Forbidden(AppError):
    """The access token is valid, and does not allow this."""

    code = "auth.forbidden"
    status = 403
    title = "The access token does not allow this"


def permit(access: Access, identity: Identity | None) -> None:
    """Raise `TokenInvalid` where somebody must be known, `Forbidden` where the scope is lacking; whatever is not allowed is denied."""
    if access.kind in {"public", "services"}:
        return
    if identity is None:
        raise TokenInvalid
    if access.kind == "scope" and access.scope not in identity.scopes:
        raise Forbidden(f"the scope {access.scope} is needed")
