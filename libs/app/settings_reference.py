"""The reference of all settings, written from the code: a page for people, and an example of `.env`.

``python -m libs.app.settings_reference <program>=<module>:<class> ...`` writes both; a program's class is its settings
class, or a single section.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from libs.app.settings import Variable, section_variables, variables

_ROOT = Path(__file__).resolve().parents[2]
PAGE = _ROOT / "docs" / "reference" / "settings.md"
EXAMPLE = _ROOT / ".env.example"

Programs: TypeAlias = Mapping[str, type[BaseModel]]
"""The class that each program reads its settings by."""

_UNWRITTEN = {"unset", "none", "as shipped"}  # defaults that are no values
_INTRODUCTION = """\
# Settings

Every program reads its settings from the environment, else from `.env` in the folder where it starts; an empty variable
counts as absent. A missing or wrong value stops the start with one line that names the variable.
This page and `.env.example` are written from the code by `python -m libs.app.settings_reference`.
"""
_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    SecretStr: "text, secret",
    dict: "JSON object",
    frozenset: "list",
    tuple: "list",
    list: "list",
}


@dataclass(frozen=True)
class Knob:
    """One variable, and the programs that read it."""

    variable: Variable
    model: type[BaseModel]
    programs: list[str] = field(default_factory=list)


def knobs(programs: Programs) -> list[Knob]:
    """Every variable once; raises ValueError where two programs give one name another type or default."""
    found: dict[str, Knob] = {}
    for program, settings in programs.items():
        for variable, model in _variables(settings):
            knob = found.setdefault(variable.env, Knob(variable, model))
            if _row(knob.variable)[:2] != _row(variable)[:2]:
                raise ValueError(f"{variable.env} is not the same to {program} as to {knob.programs[0]}")
            knob.programs.append(program)
    return list(found.values())


def page(programs: Programs) -> str:
    """The page: one table per section."""
    tables: dict[type[BaseModel], list[Knob]] = {}
    for knob in knobs(programs):
        tables.setdefault(knob.model, []).append(knob)
    parts = [_INTRODUCTION]
    for model, rows in tables.items():
        parts += [
            f"## {_title(model)}\n\n{_sentence(model)}\n",
            "| variable | read by | type | without it | what it does |",
            "|---|---|---|---|---|",
            *(
                f"| `{knob.variable.env}` | {', '.join(knob.programs)} | {' | '.join(_row(knob.variable))} |"
                for knob in rows
            ),
            "",
        ]
    return "\n".join(parts)


def example(programs: Programs) -> str:
    """A `.env` in which nothing is set yet."""
    lines = ["# Copy it to .env, and set what differs. `gatehouse up` starts what has no address here.", ""]
    for knob in knobs(programs):
        kind, default, description = _row(knob.variable)
        value = "" if knob.variable.default is PydanticUndefined else default.strip("`")
        lines += [
            f"# {description}",
            f"# {kind.replace('`', '')}; read by {', '.join(knob.programs)}",
            f"#{knob.variable.env}={value if value not in _UNWRITTEN else ''}",
            "",
        ]
    return "\n".join(lines)


def _variables(settings: type[BaseModel]) -> Iterator[tuple[Variable, type[BaseModel]]]:
    if not issubclass(settings, BaseSettings):
        yield from ((variable, settings) for variable in section_variables(settings, ""))
        return
    for variable in variables(settings):
        model = settings.model_fields[variable.section].annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield variable, model


def _row(variable: Variable) -> tuple[str, str, str]:
    """Type, default and description as the page shows them."""
    return (
        _type(variable.field.annotation, variable.field.metadata),
        _default(variable.default),
        (variable.field.description or "").replace("|", "\\|"),
    )


def _type(annotation: Any, metadata: Sequence[Any]) -> str:
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        (annotation,) = (one for one in get_args(annotation) if one is not NoneType)
        return _type(annotation, metadata)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    bounds = [
        f"{words} {_number(getattr(mark, name))}"
        for mark in metadata
        for kind, name, words in _BOUNDS
        if isinstance(mark, kind)
    ]
    return ", ".join([_WORDS[origin or annotation], *bounds])


_BOUNDS = ((Ge, "ge", "at least"), (Gt, "gt", "above"), (Le, "le", "at most"), (Lt, "lt", "below"))


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "as shipped"
    if isinstance(value, frozenset | tuple | list):
        return f"`{','.join(sorted(map(str, value)))}`" if value else "none"
    return f"`{_number(value)}`" if isinstance(value, int | float) else f"`{value}`"


def _number(value: Any) -> str:
    """`30` for 30.0, and never an exponent."""
    return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _title(model: type[BaseModel]) -> str:
    """`TokenCacheSettings` as `Token cache`."""
    words = "".join(
        f" {letter.lower()}" if letter.isupper() else letter
        for letter in model.__name__.removesuffix("Settings")
    )
    return words.strip().capitalize()


def _sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip()


def main(arguments: Sequence[str]) -> None:
    """Write the page and the example."""
    programs = {}
    for argument in arguments:
        program, _, path = argument.partition("=")
        module, _, name = path.partition(":")
        programs[program] = getattr(importlib.import_module(module), name)
    PAGE.write_text(page(programs), encoding="utf-8")
    EXAMPLE.write_text(example(programs), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
