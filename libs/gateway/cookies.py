"""Cookie mode: a web page's tokens in cookies that its scripts cannot read, beside the bearer of everybody else.

A page of the gateway's own origin asks for it by a header, which it must also send with whatever changes something: no form
and no foreign page can send it (OWASP CSRF Prevention, custom request headers). Origin and Fetch Metadata are checked besides, and
the cookies are `SameSite=Strict`. The auth service knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import from_json, to_json

from libs.app import SettingsInvalid
from libs.domain.auth import DELETE_ME, LOGOUT, LOGOUT_ALL, REFRESH, TokenPair
from libs.messaging import AnyOperation, AppError

FLAG = b"x-gatehouse-cookies"
"""With this header (`1`) a page says that it keeps its tokens in cookies."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LEAVING = frozenset({LOGOUT, LOGOUT_ALL, DELETE_ME})

_Headers: TypeAlias = Mapping[bytes, bytes]
_RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


def _names(value: object) -> object:
    return frozenset(value.replace(",", " ").split()) if isinstance(value, str) else value


class CookieSettings(BaseModel):
    """Whether web pages may keep their tokens in cookies."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    enabled: bool = Field(
        default=True,
        validation_alias="GATEWAY_COOKIES",
        description="Let pages that ask for it keep their tokens in cookies.",
    )
    secure: bool = Field(
        default=True,
        validation_alias="GATEWAY_COOKIE_SECURE",
        description="Cookies travel over TLS only; can be off where only this machine can connect.",
    )
    origins: Annotated[frozenset[str], BeforeValidator(_names)] = Field(
        frozenset(),
        validation_alias="GATEWAY_COOKIE_ORIGINS",
        description="Origins whose pages count as the gateway's own, where a proxy hides the `Host` that they see; separated by commas.",
    )


class CrossSite(AppError):
    """A page of another site, or one that does not say that it uses cookies, tried to act by somebody's cookies.

    Or another site may have added a cookie of its own to them.
    """

    code = "http.cross_site"
    status = 403
    title = "Cookies are believed from pages of the same origin only"


class Cookies:
    """Reads tokens from cookies and puts them there; raises `CrossSite` for whoever must not use them.

    Raises `SettingsInvalid` for cookies without TLS where others than this machine can connect.
    """

    def __init__(self, settings: CookieSettings, *, loopback: bool) -> None:
        if not settings.secure and not loopback:
            raise SettingsInvalid(["GATEWAY_COOKIE_SECURE: can be off on a loopback address only"])
        self._enabled = settings.enabled
        self._secure = settings.secure
        self._origins = frozenset(origin.encode() for origin in settings.origins)
        # With this prefix a browser takes a cookie from this very host alone, and for every path (RFC 6265bis, section
        # 4.1.3.2). With `__Secure-`, or for some paths only, a neighbouring host could plant one that is sent first.
        prefix = b"__Host-" if settings.secure else b""
        self._access = prefix + b"gatehouse-access"
        self._refresh = prefix + b"gatehouse-refresh"

    def authorization(self, method: str, headers: _Headers) -> bytes | None:
        """The value of an ``Authorization`` header: the request's own, else what its cookie makes of it."""
        shown = headers.get(b"authorization")
        if shown is not None or not self._enabled or b"cookie" not in headers:
            return shown
        token = _cookie(headers, self._access)
        if token is None:
            return None
        self._expect_own_page(headers, changes=method not in _SAFE)
        return b"Bearer " + token

    def handshake(self, headers: _Headers) -> str:
        """The access token of whoever opens a realtime connection, where a page of the same origin does; nothing otherwise.

        The page says so by its ``Origin``, which no other may send; a page that GETs from its own origin has none, and
        its browser says the same by ``Sec-Fetch-Site``.
        """
        try:
            token = _cookie(headers, self._access) if self._enabled else None
        except CrossSite:
            return ""
        if token is None:
            return ""
        unnamed = b"origin" not in headers and headers.get(b"sec-fetch-site") == b"same-origin"
        return token.decode("latin-1") if unnamed or self._is_own(headers) else ""

    def concern(self, operation: AnyOperation) -> bool:
        """Whether the operation gives tokens or ends their session."""
        return self._enabled and (issubclass(operation.reply, TokenPair) or operation in _LEAVING)

    def presented(self, operation: AnyOperation, headers: _Headers, body: bytes) -> bytes:
        """The request of such an operation, with the refresh token of the cookie where it holds none."""
        if not self._wanted(headers) or operation in _LEAVING:
            return body
        self._expect_own_page(headers, changes=True)
        token = _cookie(headers, self._refresh)
        if operation is REFRESH and token is not None and body.strip() in {b"", b"{}"}:
            return to_json({"refresh_token": token.decode("latin-1")})
        return body

    def replaced(self, operation: AnyOperation, headers: _Headers) -> bytes | None:
        """The refresh token of the session that a page had before this sign-in; `presented` has judged the page."""
        signs_in = operation is not REFRESH and operation not in _LEAVING
        return _cookie(headers, self._refresh) if signs_in and self._wanted(headers) else None

    def given(self, operation: AnyOperation, headers: _Headers, reply: bytes) -> tuple[bytes, _RawHeaders]:
        """The reply without the tokens that went into cookies, and the headers that put them there or clear them."""
        if operation in _LEAVING:
            shown = self._access in headers.get(b"cookie", b"")
            return reply, self._set(b"", 0, b"", 0) if shown or self._wanted(headers) else []
        if not self._wanted(headers):
            return reply, []
        said: dict[str, Any] = from_json(reply)
        access, refresh = said.pop("access_token", ""), said.pop("refresh_token", "")
        lifetimes = said["expires_in"], said["refresh_expires_in"]
        return to_json(said), self._set(access.encode(), lifetimes[0], refresh.encode(), lifetimes[1])

    def left_behind(self, headers: _Headers) -> str | None:
        """The refresh token of a page that logs out with an access token that is not good any more; it may be empty.

        None where it is no page with cookies. Raises `CrossSite` for a page of another site.
        """
        if b"authorization" in headers or not self._wanted(headers):
            return None
        self._expect_own_page(headers, changes=True)
        return (_cookie(headers, self._refresh) or b"").decode("latin-1")

    def _wanted(self, headers: _Headers) -> bool:
        return self._enabled and headers.get(FLAG) == b"1"

    def _expect_own_page(self, headers: _Headers, *, changes: bool) -> None:
        site = headers.get(b"sec-fetch-site", b"same-origin")
        if b"origin" in headers:
            fits = self._is_own(headers)
        else:  # a page leaves it out of a GET to its own origin; no browser sends neither of the two
            fits = site == b"same-origin" or (site == b"none" and not changes)
        if not fits or (changes and not self._wanted(headers)):
            raise CrossSite(f"send {FLAG.decode()}: 1 from a page of this origin")

    def _is_own(self, headers: _Headers) -> bool:
        """Whether the request's ``Origin`` is the gateway's own, which it must be said to be."""
        origin = headers.get(b"origin")
        scheme = b"https://" if self._secure else b"http://"
        return origin is not None and (
            origin in self._origins or origin == scheme + headers.get(b"host", b"")
        )

    def _set(self, access: bytes, access_age: int, refresh: bytes, refresh_age: int) -> _RawHeaders:
        rules = b"; HttpOnly; SameSite=Strict" + (b"; Secure" if self._secure else b"")
        return [
            (b"set-cookie", b"%b=%b; Path=/; Max-Age=%d%b" % (name, token, age, rules))
            for name, token, age in (
                (self._access, access, access_age),
                (self._refresh, refresh, refresh_age),
            )
        ]


def _cookie(headers: _Headers, name: bytes) -> bytes | None:
    """The cookie of this name (RFC 6265, section 5.4); None for an empty one, too.

    Raises `CrossSite` where there are several: somebody else has added one, and which is not to be seen here.
    """
    found: bytes | None = None
    for pair in headers.get(b"cookie", b"").split(b";"):
        named, _, value = pair.strip().partition(b"=")
        if named == name and value:
            if found is not None:
                raise CrossSite(f"the cookie {name.decode()} came more than once")
            found = value
    return found
