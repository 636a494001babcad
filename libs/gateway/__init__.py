"""The only door for clients over HTTP: routes from contracts, and who may pass."""

from libs.gateway.auth_feed import AuthFeed
from libs.gateway.authorization import Authorization, Bearer, TokenCacheSettings
from libs.gateway.documents import DOCUMENT_PATHS, document_routes
from libs.gateway.keys import PublicKeys
from libs.gateway.revocation import Revocations, RevocationSettings
from libs.gateway.routes import Gate

__all__ = [
    "DOCUMENT_PATHS",
    "AuthFeed",
    "Authorization",
    "Bearer",
    "Gate",
    "PublicKeys",
    "RevocationSettings",
    "Revocations",
    "TokenCacheSettings",
    "document_routes",
]
