from __future__ import annotations

import json

import pytest

from libs.app import SettingsInvalid
from libs.domain.auth import LOGIN, LOGOUT, ME, REFRESH
from libs.gateway import Cookies, CookieSettings
from libs.gateway.cookies import CrossSite

FLAGGED = {b"host": b"app.example", b"x-gatehouse-cookies": b"1", b"origin": b"https://app.example"}
ACCESS = b"__Host-gatehouse-access=a.b.c"
REFRESH_COOKIE = b"__Host-gatehouse-refresh=" + b"r" * 43
PAIR = json.dumps(
    {
        "access_token": "a.b.c",
        "token_type": "Bearer",
        "expires_in": 600,
        "refresh_token": "r" * 43,
        "refresh_expires_in": 1000,
        "session_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    }
).encode()


@pytest.fixture
def cookies() -> Cookies:
    return Cookies(CookieSettings(), loopback=False)


def page(**headers: str) -> dict[bytes, bytes]:
    """What a page's request carries beside its cookie."""
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return {b"host": b"app.example", b"cookie": b"x=1; " + ACCESS, **named}


class TestGiving:
    def test_tokens_go_into_cookies_that_no_script_reads(self, cookies: Cookies) -> None:
        reply, headers = cookies.given(LOGIN, FLAGGED, PAIR)
        assert json.loads(reply).keys() == {"token_type", "expires_in", "refresh_expires_in", "session_id"}
        rules = b"HttpOnly; SameSite=Strict; Secure"  # and no Domain: `__Host-` takes exactly this
        assert [value for _, value in headers] == [
            ACCESS + b"; Path=/; Max-Age=600; " + rules,
            REFRESH_COOKIE + b"; Path=/; Max-Age=1000; " + rules,
        ]

    def test_whoever_does_not_ask_gets_the_tokens_themselves(self, cookies: Cookies) -> None:
        assert cookies.given(LOGIN, {b"host": b"app.example"}, PAIR) == (PAIR, [])

    def test_a_logout_clears_both(self, cookies: Cookies) -> None:
        _, headers = cookies.given(LOGOUT, {b"cookie": ACCESS}, b"")
        assert [b"Max-Age=0" in value for _, value in headers] == [True, True]
        assert cookies.given(LOGOUT, {}, b"") == (b"", [])

    def test_only_tokens_and_their_end_concern_cookies(self, cookies: Cookies) -> None:
        assert [cookies.concern(one) for one in (LOGIN, REFRESH, LOGOUT, ME)] == [True, True, True, False]

    def test_without_tls_on_loopback_alone(self) -> None:
        insecure = CookieSettings(secure=False)
        _, headers = Cookies(insecure, loopback=True).given(LOGIN, FLAGGED, PAIR)
        assert b"Secure" not in headers[0][1]
        with pytest.raises(SettingsInvalid):
            Cookies(insecure, loopback=False)


class TestShowing:
    def test_a_cookie_stands_for_a_bearer(self, cookies: Cookies) -> None:
        assert cookies.authorization("GET", page(sec_fetch_site="same-origin")) == b"Bearer a.b.c"

    def test_a_header_of_the_requests_own_comes_first(self, cookies: Cookies) -> None:
        assert cookies.authorization("POST", page(authorization="Bearer x")) == b"Bearer x"

    def test_a_page_of_this_origin_that_says_so_may_change_something(self, cookies: Cookies) -> None:
        assert cookies.authorization("POST", page(x_gatehouse_cookies="1", origin="https://app.example"))

    def test_an_origin_behind_a_proxy_can_be_named(self) -> None:
        named = Cookies(CookieSettings(origins=frozenset({"https://www.example"})), loopback=False)
        assert named.authorization("POST", page(x_gatehouse_cookies="1", origin="https://www.example"))

    @pytest.mark.parametrize(
        ("method", "headers"),
        [
            ("POST", {"origin": "https://app.example"}),
            ("POST", {"origin": "https://app.example", "x_gatehouse_cookies": "0"}),
            ("POST", {"origin": "https://evil.example", "x_gatehouse_cookies": "1"}),
            ("POST", {"origin": "https://app.example.evil.example", "x_gatehouse_cookies": "1"}),
            ("POST", {"origin": "http://app.example", "x_gatehouse_cookies": "1"}),
            ("POST", {"origin": "null", "x_gatehouse_cookies": "1"}),
            ("POST", {"sec_fetch_site": "cross-site", "x_gatehouse_cookies": "1"}),
            ("POST", {"sec_fetch_site": "same-site", "x_gatehouse_cookies": "1"}),
            ("POST", {"sec_fetch_site": "none", "x_gatehouse_cookies": "1"}),
            ("DELETE", {"sec_fetch_site": "same-origin"}),
            ("PATCH", {}),
            ("GET", {"sec_fetch_site": "cross-site"}),
            ("GET", {"sec_fetch_site": "same-site"}),
            ("GET", {"origin": "https://evil.example"}),
        ],
    )
    def test_forged_requests_are_refused(
        self, cookies: Cookies, method: str, headers: dict[str, str]
    ) -> None:
        with pytest.raises(CrossSite):
            cookies.authorization(method, page(**headers))

    def test_switched_off_no_cookie_counts(self) -> None:
        off = Cookies(CookieSettings(enabled=False), loopback=False)
        assert off.authorization("GET", page()) is None
        assert not off.handshake(page(origin="https://app.example"))
        assert not off.concern(LOGIN)

    def test_a_handshake_counts_from_a_page_of_this_origin_only(self, cookies: Cookies) -> None:
        assert cookies.handshake(page(origin="https://app.example")) == "a.b.c"
        assert not cookies.handshake(page(origin="https://evil.example"))
        assert not cookies.handshake(page(origin="https://evil.example", sec_fetch_site="same-origin"))
        assert not cookies.handshake(page(origin="null"))
        assert not cookies.handshake(page())

    def test_a_page_that_gets_a_stream_from_its_own_origin_names_none(self, cookies: Cookies) -> None:
        """EventSource sends no `Origin` there; what the browser says of the two sites no page can forge."""
        assert cookies.handshake(page(sec_fetch_site="same-origin")) == "a.b.c"
        for site in ("same-site", "cross-site", "none"):
            assert not cookies.handshake(page(sec_fetch_site=site))


class TestRefreshing:
    def test_the_cookie_holds_what_the_body_does_not(self, cookies: Cookies) -> None:
        headers = {**FLAGGED, b"cookie": REFRESH_COOKIE}
        assert json.loads(cookies.presented(REFRESH, headers, b"{}")) == {"refresh_token": "r" * 43}
        assert cookies.presented(REFRESH, headers, b'{"refresh_token": "x"}') == b'{"refresh_token": "x"}'

    def test_without_the_header_no_cookie_is_used(self, cookies: Cookies) -> None:
        headers = {b"cookie": REFRESH_COOKIE}
        assert cookies.presented(REFRESH, headers, b"{}") == b"{}"

    def test_nobody_is_signed_in_by_a_foreign_page(self, cookies: Cookies) -> None:
        with pytest.raises(CrossSite):
            cookies.presented(LOGIN, {**FLAGGED, b"origin": b"https://evil.example"}, b"{}")


class TestPlanting:
    """A neighbouring host sets cookies for the whole domain, and none with the prefix `__Host-`."""

    @pytest.mark.parametrize("name", [b"__Secure-gatehouse-refresh", b"gatehouse-refresh"])
    def test_a_refresh_token_under_a_name_that_a_neighbour_may_set_does_not_count(
        self, cookies: Cookies, name: bytes
    ) -> None:
        headers = {**FLAGGED, b"cookie": name + b"=" + b"e" * 43 + b"; " + REFRESH_COOKIE}
        assert json.loads(cookies.presented(REFRESH, headers, b"{}")) == {"refresh_token": "r" * 43}
        headers[b"cookie"] = name + b"=" + b"e" * 43
        assert cookies.presented(REFRESH, headers, b"{}") == b"{}"
        assert not cookies.left_behind(headers)
        assert cookies.replaced(LOGIN, headers) is None

    @pytest.mark.parametrize(
        "name", [b"__Secure-gatehouse-access", b"gatehouse-access", b"__host-gatehouse-access"]
    )
    def test_neither_does_such_an_access_token(self, cookies: Cookies, name: bytes) -> None:
        headers = {**FLAGGED, b"cookie": name + b"=e.e.e"}
        assert cookies.authorization("GET", headers) is None
        assert not cookies.handshake(headers)

    @pytest.mark.parametrize("planted", [b"first", b"last"])
    def test_of_two_refresh_tokens_none_is_chosen(self, cookies: Cookies, planted: bytes) -> None:
        two = [b"__Host-gatehouse-refresh=" + b"e" * 43, REFRESH_COOKIE]
        headers = {**FLAGGED, b"cookie": b"; ".join(two if planted == b"first" else reversed(two))}
        for use in (
            lambda: cookies.presented(REFRESH, headers, b"{}"),
            lambda: cookies.presented(LOGIN, headers, b"{}"),
            lambda: cookies.left_behind(headers),
        ):
            with pytest.raises(CrossSite):
                use()

    def test_of_two_access_tokens_none_is_chosen(self, cookies: Cookies) -> None:
        headers = {**FLAGGED, b"cookie": b"__Host-gatehouse-access=e.e.e; " + ACCESS}
        with pytest.raises(CrossSite):
            cookies.authorization("GET", headers)
        assert not cookies.handshake(headers)

    def test_whoever_leaves_by_a_bearer_loses_both(self, cookies: Cookies) -> None:
        headers = {b"cookie": b"__Host-gatehouse-access=e.e.e; " + ACCESS, b"authorization": b"Bearer x"}
        assert len(cookies.given(LOGOUT, headers, b"")[1]) == 2

    def test_an_empty_one_counts_as_none(self, cookies: Cookies) -> None:
        headers = {**FLAGGED, b"cookie": b"__Host-gatehouse-access=; " + ACCESS}
        assert cookies.authorization("GET", headers) == b"Bearer a.b.c"


class TestLeaving:
    """A page that wants out, whatever has become of its access token."""

    def test_its_refresh_token_says_who_it_is(self, cookies: Cookies) -> None:
        headers = {**FLAGGED, b"cookie": REFRESH_COOKIE}
        assert [cookies.left_behind(one) for one in (headers, FLAGGED)] == ["r" * 43, ""]

    def test_whoever_shows_a_bearer_or_keeps_tokens_itself_is_no_such_page(self, cookies: Cookies) -> None:
        assert cookies.left_behind({**FLAGGED, b"authorization": b"Bearer x"}) is None
        assert cookies.left_behind({b"cookie": REFRESH_COOKIE}) is None

    def test_no_foreign_page_signs_anybody_out(self, cookies: Cookies) -> None:
        with pytest.raises(CrossSite):
            cookies.left_behind({**FLAGGED, b"origin": b"https://evil.example"})
