import pytest

from libs.realtime.origins import Origins

HERE = {b"host": b"gateway.test:8000"}
ORIGINS = Origins({"https://front.test"})


@pytest.mark.parametrize("origin", [b"https://front.test", b"https://gateway.test:8000"])
def test_named_origins_and_its_own_are_welcome(origin: bytes) -> None:
    assert ORIGINS.welcome({**HERE, b"origin": origin})


@pytest.mark.parametrize(
    "origin",
    [
        b"https://front.test.evil",
        b"http://front.test",
        b"https://gateway.test",
        b"null",
        b"",
        b"http://[",
        b"*",
    ],
)
def test_any_other_is_not(origin: bytes) -> None:
    assert not ORIGINS.welcome({**HERE, b"origin": origin})


def test_what_is_no_browser_sends_none_and_is_welcome() -> None:
    assert ORIGINS.welcome(HERE)
    assert Origins.answer(HERE) == []


@pytest.mark.parametrize(
    ("origin", "welcome"), [(b"null", True), (b"https://a.test", True), (b"a\x01b", False)]
)
def test_a_star_allows_all_that_can_be_said_again(origin: bytes, welcome: bool) -> None:
    assert Origins({"*"}).welcome({**HERE, b"origin": origin}) is welcome


def test_a_page_is_told_that_it_itself_may_read_the_answer() -> None:
    told = dict(Origins.answer({b"origin": b"https://front.test"}))

    assert told[b"access-control-allow-origin"] == b"https://front.test"
    assert told[b"vary"] == b"origin"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (b"content-type, x-trace", b"content-type, x-trace"),
        (b"", None),
        (b"x\r\ny: z", None),
        (b"a" * 2000, None),
    ],
)
def test_a_preflight_may_send_the_headers_it_asks_for(asked: bytes, told: bytes | None) -> None:
    preflight = dict(Origins.preflight({b"access-control-request-headers": asked}, "POST, OPTIONS"))

    assert preflight.get(b"access-control-allow-headers") == told
    assert preflight[b"access-control-allow-methods"] == b"POST, OPTIONS"
