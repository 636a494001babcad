"""The settings of a service: sections composed into one class, read from the environment and from `.env`.

A section is a plain pydantic model beside the code that it configures; each of its fields names its variable as
``validation_alias``. A service's ``settings.py`` composes sections::

    class GatewaySettings(ServiceSettings):
        broker: BrokerSettings
        operations: Annotated[OperationsSettings, EnvPrefix("GATEWAY_")] = OperationsSettings(port=8001)

Here `AMQP_URL` is read as it is, and `OPERATIONS_PORT` as `GATEWAY_OPERATIONS_PORT`, 8001 where it is not set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from libs.app.edge import EdgeSettings
from libs.app.errors import SettingsInvalid
from libs.app.listening import HttpSettings, OperationsSettings
from libs.app.logging import LogSettings


@dataclass(frozen=True, slots=True)
class EnvPrefix:
    """What stands before the names of a section's variables, where each service has its own."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: the field of a section that it fills, and what holds without it."""

    env: str
    section: str
    alias: str
    field: FieldInfo
    default: Any
    """`PydanticUndefined` where the variable is required."""


class ServiceSettings(BaseSettings):
    """What every service has; raises pydantic's ValidationError with every value that is missing or wrong."""

    model_config = SettingsConfigDict(
        frozen=True, env_file=".env", env_file_encoding="utf-8", hide_input_in_errors=True
    )

    log: LogSettings = LogSettings()
    operations: OperationsSettings
    http: HttpSettings | None = None
    """Where clients come in; a service without it is reached over RabbitMQ only."""
    edge: EdgeSettings | None = None
    """What its clients must keep to."""

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values given in code, then the variables of the sections."""
        return init_settings, _SectionsSource(settings_cls)


class _SectionsSource(PydanticBaseSettingsSource):
    """The variables of every section, as they stand in the environment or else in `.env`.

    An empty variable counts as absent, so that a line may stay in `.env` without a value.
    """

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: sections are filled as a whole."""
        return None, field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        env_file = self.config.get("env_file")
        written = dotenv_values(str(env_file), encoding="utf-8") if env_file else {}
        present = {**written, **{name: value for name, value in os.environ.items() if value}}
        values: dict[str, dict[str, Any]] = {}
        for variable in variables(self.settings_cls):
            value = present.get(variable.env) or variable.default
            section = values.setdefault(variable.section, {})
            if value is not PydanticUndefined:
                section[variable.alias] = value
        return values


def _sections(settings_class: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo, type[BaseModel]]]:
    """The sections of a settings class: name, field, model."""
    for name, field in settings_class.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field, field.annotation


def variables(settings_class: type[BaseSettings]) -> list[Variable]:
    """Every variable that fills a settings class; raises TypeError for a field without a name or a description."""
    found = []
    for section, composed, model in _sections(settings_class):
        prefix = next((mark.prefix for mark in composed.metadata if isinstance(mark, EnvPrefix)), "")
        found += section_variables(model, section, prefix=prefix, default=composed.default)
    return found


def section_variables(
    model: type[BaseModel], section: str, *, prefix: str = "", default: object = None
) -> list[Variable]:
    """The variables of one section; where the service gives it a ``default``, its fields say what holds without them."""
    found = []
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if not isinstance(alias, str) or not field.description:
            raise TypeError(
                f"{model.__name__}.{name} needs the name of its variable as validation_alias, and a description"
            )
        without = getattr(default, name, field.get_default(call_default_factory=True))
        found.append(Variable(prefix + alias, section, alias, field, without))
    return found


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load_settings(settings_class: type[SettingsT]) -> SettingsT:
    """The settings as the environment gives them; raises `SettingsInvalid` with one line per value."""
    try:
        return settings_class()
    except ValidationError as error:
        raise SettingsInvalid(_lines(settings_class, error)) from None
    except UnicodeDecodeError:
        raise SettingsInvalid([".env: is not UTF-8 text"]) from None


def _lines(settings_class: type[ServiceSettings], error: ValidationError) -> list[str]:
    """What is wrong, by variable. The values stay out: one of them may be a password."""
    names = {(one.section, one.alias): one for one in variables(settings_class)}
    lines = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        where = tuple(str(part) for part in found["loc"])
        message = found["msg"].removeprefix("Value error, ")
        variable = names.get((where[0], where[1])) if len(where) > 1 else None
        if variable is None:
            lines.append(f"{'.'.join(where)}: {message}")
        elif found["type"] == "missing" and len(where) == 2:
            lines.append(f"{variable.env}: is required: {variable.field.description}")
        else:
            inside = f"{'.'.join(where[2:])}: " if len(where) > 2 else ""
            lines.append(f"{variable.env}: {inside}{message}")
    return lines
