"""Templates: letters as files, shipped ones and those of the product; the only module that imports Jinja2.

A letter is a text template, whose first line says the subject, and an HTML template of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from libs.auth.mail.letters import Template

_SHIPPED = Path(__file__).with_name("templates")
_SHIPPED_LOCALE = "en"
_SUBJECT = re.compile(r"Subject:[ \t]*(?P<subject>[^\n]*\S[^\n]*)\n\n(?P<text>.*)", re.DOTALL)
_SAMPLE: Mapping[str, str] = {
    "product": "Product",
    "email": "ann@example.com",
    "new_email": "ann@example.net",
    "code": "1234 5678",
    "minutes": "10",
    "ip": "192.0.2.7",
    "time": "2026-01-02 03:04 UTC",
}


class TemplateBroken(Exception):
    """A template of letters cannot be used."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a letter says."""

    subject: str
    text: str
    html: str


class Templates:
    """The letters in every language that there is a folder for."""

    def __init__(self, folders: Iterable[Path], *, locale: str, product: str) -> None:
        self._folders = [folder for folder in folders if folder.is_dir()]
        self._locale = locale
        self._product = product
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._folders),
            autoescape=jinja2.select_autoescape(["html"], default_for_string=True),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            auto_reload=False,  # what was checked at the start is what is sent
            cache_size=-1,
        )
        self.locales = frozenset(
            one.name for folder in self._folders for one in folder.iterdir() if one.is_dir()
        )

    @classmethod
    def checked(cls, own: str | None, *, locale: str, product: str) -> Templates:
        """The shipped templates behind those in the folder ``own``; raises `TemplateBroken`, naming file and line."""
        if own is not None and not Path(own).is_dir():
            raise TemplateBroken(f"AUTH_MAIL_TEMPLATES: there is no folder {own}")
        folders = [Path(own), _SHIPPED] if own is not None else [_SHIPPED]
        templates = cls(folders, locale=locale, product=product)
        if locale not in templates.locales:
            raise TemplateBroken(f"AUTH_MAIL_LOCALE: there are no templates for {locale!r}")
        for one in sorted(templates.locales):
            for template in Template:
                templates.render(template, one, _SAMPLE)
        return templates

    def locale_for(self, wished: Iterable[str]) -> str:
        """The first of these languages that there are templates for, else the default one."""
        return next((one for one in wished if one in self.locales), self._locale)

    def render(self, template: Template, locale: str, values: Mapping[str, str]) -> Rendered:
        """The letter in this language; raises `TemplateBroken`."""
        given = {**dict.fromkeys(_SAMPLE, ""), **values, "product": self._product, "locale": locale}
        text = self._filled(self._names(locale, f"{template}.txt"), given)
        html = self._filled(self._names(locale, f"{template}.html"), given)
        found = _SUBJECT.fullmatch(text)
        if found is None:
            where = self._environment.select_template(self._names(locale, f"{template}.txt")).filename
            raise TemplateBroken(f"{where}:1: the first line must be `Subject: ...`, the second one empty")
        return Rendered(_line(found["subject"]), found["text"], html)

    def _names(self, locale: str, file: str) -> list[str]:
        """Where the file may be: in its language, else in the default one, else in the shipped one."""
        return [f"{one}/{file}" for one in dict.fromkeys((locale, self._locale, _SHIPPED_LOCALE))]

    def _filled(self, names: list[str], values: Mapping[str, str]) -> str:
        try:
            return self._environment.select_template(names).render(values)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateBroken(f"{error.filename or error.name}:{error.lineno}: {error.message}") from error
        except jinja2.TemplatesNotFound as error:
            raise TemplateBroken(f"there is no template {names[0]}") from error
        except Exception as error:
            where = next(_lines_in(self._folders, error), names[0])
            raise TemplateBroken(f"{where}: {error}") from error


def _lines_in(folders: Iterable[Path], error: BaseException) -> Iterator[str]:
    """Where in a template it happened, innermost first: Jinja2 rewrites tracebacks to name the templates' lines."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    roots = tuple(f"{folder}/" for folder in folders)
    return (place for place in reversed(places) if place.startswith(roots))


def _line(text: str) -> str:
    """One line without control characters: nothing of it becomes another header."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
