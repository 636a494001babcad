"""Every setting is documented, from the code."""

import pytest
from pydantic import BaseModel

from apps.auth_svc.settings import AuthSettings
from apps.gateway.settings import GatewaySettings
from libs.app.settings_reference import EXAMPLE, PAGE, example, knobs, page
from libs.infra.migrations import MigrationSettings

PROGRAMS: dict[str, type[BaseModel]] = {
    "gateway": GatewaySettings,
    "auth_svc": AuthSettings,
    "gatehouse migrate": MigrationSettings,
}
COMMAND = "python -m libs.app.settings_reference " + " ".join(
    f"'{program}={settings.__module__}:{settings.__name__}'" for program, settings in PROGRAMS.items()
)


def test_the_page_is_what_the_code_says() -> None:
    if PAGE.read_text(encoding="utf-8") != page(PROGRAMS):
        pytest.fail(f"write it anew: {COMMAND}")


def test_the_example_is_what_the_code_says() -> None:
    if EXAMPLE.read_text(encoding="utf-8") != example(PROGRAMS):
        pytest.fail(f"write it anew: {COMMAND}")


def test_every_knob_says_in_a_sentence_what_it_does() -> None:
    unsaid = [
        knob.variable.env
        for knob in knobs(PROGRAMS)
        if not (knob.variable.field.description or "").endswith(".")
    ]

    assert unsaid == []


def test_a_knob_that_measures_something_says_in_what() -> None:
    unsaid = [
        knob.variable.env
        for knob in knobs(PROGRAMS)
        if knob.variable.env.endswith(("_TIMEOUT", "_SECONDS", "_INTERVAL", "_AGE", "_RETENTION"))
        and "(s)" not in (knob.variable.field.description or "")
    ]

    assert unsaid == []
