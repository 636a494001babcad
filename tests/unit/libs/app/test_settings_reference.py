from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from libs.app import EnvPrefix, OperationsSettings, ServiceSettings
from libs.app.settings_reference import example, knobs, page


class ThingSettings(BaseModel):
    """How things are."""

    url: SecretStr = Field(validation_alias="THING_URL", description="Where it is.")
    kind: Literal["round", "square"] = Field("round", validation_alias="THING_KIND", description="Its form.")
    limit: float | None = Field(None, gt=0, le=9, validation_alias="THING_LIMIT", description="A bound (s).")
    names: frozenset[str] = Field(
        frozenset({"b", "a"}), validation_alias="THING_NAMES", description="This | that."
    )


class One(ServiceSettings):
    operations: Annotated[OperationsSettings, EnvPrefix("ONE_")] = OperationsSettings(port=1)
    thing: ThingSettings


class Two(ServiceSettings):
    operations: Annotated[OperationsSettings, EnvPrefix("TWO_")] = OperationsSettings(port=2)
    thing: ThingSettings


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| `THING") or "_OPERATIONS_PORT" in line]


def test_a_row_says_type_bounds_default_and_who_reads_it() -> None:
    assert rows(page({"one": One, "two": Two})) == [
        "| `ONE_OPERATIONS_PORT` | one | whole number, at least 0, at most 65535 | `1` | Operations port; 0 takes a free one. |",
        "| `TWO_OPERATIONS_PORT` | two | whole number, at least 0, at most 65535 | `2` | Operations port; 0 takes a free one. |",
        "| `THING_URL` | one, two | text, secret | required | Where it is. |",
        "| `THING_KIND` | one, two | `round` or `square` | `round` | Its form. |",
        "| `THING_LIMIT` | one, two | number, above 0, at most 9 | unset | A bound (s). |",
        "| `THING_NAMES` | one, two | list | `a,b` | This \\| that. |",
    ]


def test_a_section_has_its_title_and_its_sentence() -> None:
    assert "## Thing\n\nHow things are.\n" in page({"one": One})


def test_a_single_section_may_stand_for_a_program() -> None:
    assert next(iter(knobs({"tool": ThingSettings}))).variable.env == "THING_URL"


def test_the_example_sets_nothing() -> None:
    written = example({"one": One})
    assert all(not line or line.startswith("#") for line in written.splitlines())
    assert "#THING_URL=\n" in written
    assert "#THING_KIND=round\n" in written
    assert "#THING_LIMIT=\n" in written


def test_one_name_has_one_meaning() -> None:
    class Other(BaseModel):
        """Something else."""

        url: int = Field(3, validation_alias="THING_URL", description="How many.")

    with pytest.raises(ValueError, match="THING_URL"):
        knobs({"one": One, "other": Other})
