from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from libs.app import EnvPrefix, OperationsSettings, ServiceSettings, SettingsInvalid, load_settings
from libs.app.settings import variables


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: SecretStr = Field(validation_alias="THING_URL", description="Where the thing is.")
    size: int = Field(3, ge=1, validation_alias="THING_SIZE", description="How large it is.")
    even: int = Field(2, validation_alias="THING_EVEN", description="An even number.")

    @field_validator("even")
    @classmethod
    def is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


class Settings(ServiceSettings):
    operations: Annotated[OperationsSettings, EnvPrefix("OWN_")] = OperationsSettings(port=9)
    thing: Section


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An empty folder and none of our variables."""
    monkeypatch.chdir(tmp_path)
    for variable in variables(Settings):
        monkeypatch.delenv(variable.env, raising=False)
    return monkeypatch


def lines() -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as failed:
        load_settings(Settings)
    return failed.value.lines


def test_values_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THING_URL", "thing://here")
    environment.setenv("OWN_OPERATIONS_PORT", "99")
    settings = load_settings(Settings)
    assert settings.thing.url.get_secret_value() == "thing://here"
    assert settings.thing.size == 3
    assert settings.operations.port == 99


def test_values_come_from_the_file_where_the_environment_has_none(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("THING_URL=thing://file\nTHING_SIZE=5\n", encoding="utf-8")
    environment.setenv("THING_SIZE", "7")
    settings = load_settings(Settings)
    assert settings.thing.url.get_secret_value() == "thing://file"
    assert settings.thing.size == 7


def test_a_section_composed_with_a_default_keeps_it_beside_what_is_set(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("THING_URL", "thing://here")
    environment.setenv("OWN_OPERATIONS_HOST", "::1")
    assert load_settings(Settings).operations == OperationsSettings(host="::1", port=9)


def test_an_empty_variable_counts_as_absent(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THING_URL", "")
    environment.setenv("THING_SIZE", "")
    assert lines() == ("THING_URL: is required: Where the thing is.",)
    Path(".env").write_text("THING_URL=thing://file\n", encoding="utf-8")
    assert load_settings(Settings).thing.url.get_secret_value() == "thing://file"


def test_every_wrong_value_is_told_at_once_by_the_name_of_its_variable(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("THING_SIZE", "0")
    environment.setenv("THING_EVEN", "3")
    environment.setenv("OWN_OPERATIONS_PORT", "many")
    environment.setenv("LOG_LEVEL", "loud")
    told = lines()
    assert [line.partition(":")[0] for line in told] == [
        "LOG_LEVEL",
        "OWN_OPERATIONS_PORT",
        "THING_URL",
        "THING_SIZE",
        "THING_EVEN",
    ]
    assert told[-1] == "THING_EVEN: must be even"


def test_a_wrong_value_is_never_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THING_SIZE", "hunter2")
    assert "hunter2" not in "".join(lines())


def test_a_file_that_is_no_text_is_told_and_not_a_traceback(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"THING_URL=\xff\xfe\n")
    assert lines() == (".env: is not UTF-8 text",)


def test_sections_given_in_code_need_no_environment(environment: pytest.MonkeyPatch) -> None:
    settings = Settings(thing=Section(url=SecretStr("thing://code")))
    assert settings.thing.url.get_secret_value() == "thing://code"


def test_settings_do_not_show_their_secrets(environment: pytest.MonkeyPatch) -> None:
    settings = Settings(thing=Section(url=SecretStr("thing://hunter2")))
    assert "hunter2" not in repr(settings)


def test_a_field_without_a_variable_or_a_description_is_refused() -> None:
    class Nameless(BaseModel):
        size: int = Field(1, description="How large.")

    class Wordless(BaseModel):
        size: int = Field(1, validation_alias="SIZE")

    class WithNameless(ServiceSettings):
        section: Nameless = Nameless()

    class WithWordless(ServiceSettings):
        section: Wordless = Wordless()

    with pytest.raises(TypeError, match="Nameless"):
        variables(WithNameless)
    with pytest.raises(TypeError, match="Wordless"):
        variables(WithWordless)
