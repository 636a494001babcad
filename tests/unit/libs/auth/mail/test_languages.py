import pytest

from libs.auth.mail.languages import languages


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("ru", ["ru"]),
        ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", ["ru", "en"]),
        ("en;q=0.3, RU ; q = 0.8", ["ru", "en"]),
        ("fr;q=0, en", ["en"]),
        ("*, en;q=nonsense, ../etc, de", ["de"]),
        (",".join(["xx"] * 100 + ["ru"]), ["xx"]),
    ],
)
def test_the_most_wanted_first(header: str, found: list[str]) -> None:
    assert languages(header) == found
