"""Templates, as shipped and as a product replaces them."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.auth.mail.letters import Template
from libs.auth.mail.templates import TemplateBroken, Templates

VALUES = {
    "email": "ann@example.com",
    "new_email": "new@example.com",
    "code": "1234 5678",
    "minutes": "10",
    "ip": "192.0.2.7",
    "time": "2026-01-02 03:04 UTC",
}
WITH_CODE = [Template.VERIFY, Template.RESET, Template.SIGN_IN, Template.CHANGE]


def templates(own: Path | None = None, *, locale: str = "en", product: str = "Acme") -> Templates:
    return Templates.checked(str(own) if own else None, locale=locale, product=product)


def write(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


class TestShipped:
    @pytest.mark.parametrize("locale", ["en", "ru"])
    @pytest.mark.parametrize("template", Template)
    def test_every_letter_is_there_in_every_language(self, template: Template, locale: str) -> None:
        said = templates().render(template, locale, VALUES)
        assert said.subject.startswith("Acme: ")
        assert f'lang="{locale}"' in said.html
        assert "Acme" in said.text
        assert "ann@example.com" in said.text
        if template in WITH_CODE:
            assert "1234 5678" in said.text
            assert "1234 5678" in said.html
        assert "1234" not in said.subject

    def test_languages_differ(self) -> None:
        shipped = templates()
        said = {one: shipped.render(Template.RESET, one, VALUES) for one in ("en", "ru")}
        assert "password" in said["en"].text
        assert "парол" in said["ru"].text
        assert said["ru"].subject != said["en"].subject

    def test_html_is_escaped_and_text_is_not(self) -> None:
        said = templates(product="<b>A&B</b>").render(Template.RESET, "en", VALUES)
        assert "&lt;b&gt;A&amp;B&lt;/b&gt;" in said.html
        assert "<b>A" not in said.html
        assert "<b>A&B</b>" in said.text

    def test_a_subject_stays_one_line(self) -> None:
        hostile = templates(product="A\u2028Bcc: x@example.com\x00\x1b[31m")
        said = hostile.render(Template.RESET, "en", VALUES)
        assert said.subject.isprintable()

    def test_the_first_language_there_is_wins(self) -> None:
        shipped = templates(locale="ru")
        assert shipped.locale_for(["fr", "en", "ru"]) == "en"
        assert shipped.locale_for(["fr", "../en"]) == "ru"


class TestOwn:
    def test_a_file_of_the_product_comes_first_and_the_rest_is_shipped(self, tmp_path: Path) -> None:
        write(tmp_path, "en/reset.txt", "Subject: Hello\n\nUse {{ code }}.\n")
        mine = templates(tmp_path)
        assert mine.render(Template.RESET, "en", VALUES).text == "Use 1234 5678.\n"
        assert mine.render(Template.VERIFY, "en", VALUES).subject == "Acme: confirm your address"

    def test_a_new_language_may_begin_with_one_letter(self, tmp_path: Path) -> None:
        write(tmp_path, "de/reset.txt", "Subject: Hallo\n\n{{ code }}\n")
        mine = templates(tmp_path)
        assert "de" in mine.locales
        assert mine.render(Template.RESET, "de", VALUES).subject == "Hallo"
        assert mine.render(Template.VERIFY, "de", VALUES).subject == "Acme: confirm your address"

    def test_what_was_checked_at_the_start_is_what_is_sent(self, tmp_path: Path) -> None:
        file = write(tmp_path, "en/reset.txt", "Subject: Hello\n\none\n")
        mine = templates(tmp_path)
        file.write_text("Subject: Hello\n\n{{ broken", encoding="utf-8")
        assert mine.render(Template.RESET, "en", VALUES).text == "one\n"

    @pytest.mark.parametrize(
        ("name", "content", "line"),
        [
            ("en/reset.txt", "Subject: x\n\n{% if code %}\n", 3),
            ("en/reset.html", "<p>\n{{ code | nonsense }}</p>", 2),
            ("ru/code.html", "", None),
            ("en/verify.txt", "Subject: x\n\none\ntwo {{ password }}\n", 4),
            ("en/verify.txt", "no subject\n\n", 1),
            ("en/verify.txt", "Subject: \n\nempty\n", 1),
            ("ru/verify.html", '{% extends "missing.html" %}\n', 1),
            ("en/change.txt", "Subject: x\n\n{{ 1 // 0 }}\n", 3),
        ],
    )
    def test_a_broken_one_is_named_by_file_and_line(
        self, tmp_path: Path, name: str, content: str, line: int | None
    ) -> None:
        file = write(tmp_path, name, content)
        if line is None:  # a file that no letter uses breaks nothing
            assert templates(tmp_path).locales == {"en", "ru"}
            return
        with pytest.raises(TemplateBroken) as broken:
            templates(tmp_path)
        assert str(broken.value).startswith(f"{file}:{line}: ")

    def test_a_folder_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(TemplateBroken, match="AUTH_MAIL_TEMPLATES"):
            templates(tmp_path / "none")

    def test_a_default_language_without_templates_is_said(self) -> None:
        with pytest.raises(TemplateBroken, match="AUTH_MAIL_LOCALE"):
            templates(locale="fr")
