"""The only door for clients over HTTP: routes from contracts, and who may pass."""

from libs.gateway.api_keys import ApiKeyCacheSettings, ApiKeys
from libs.gateway.auth_feed import AuthFeed
from libs.gateway.authorization import Authorization, TokenCacheSettings
from libs.gateway.bearer import Bearer
from libs.gateway.cookies import Cookies, CookieSettings
from libs.gateway.documents import DOCUMENT_PATHS, document_routes
from libs.gateway.gate import Gate
from libs.gateway.keys import PublicKeys
from libs.gateway.revocation import Revocations, RevocationSettings

__all__ = [
    "DOCUMENT_PATHS",
    "ApiKeyCacheSettings",
    "ApiKeys",
    "AuthFeed",
    "Authorization",
    "Bearer",
    "CookieSettings",
    "Cookies",
    "Gate",
    "PublicKeys",
    "RevocationSettings",
    "Revocations",
    "TokenCacheSettings",
    "document_routes",
]
