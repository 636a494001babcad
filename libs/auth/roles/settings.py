"""The settings of roles: which there are, and the scopes that each allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from libs.domain.auth import ADMIN, SCOPE_MAX, RoleName, ScopeText

_NAME: TypeAdapter[str] = TypeAdapter(RoleName)
_SCOPE: TypeAdapter[str] = TypeAdapter(ScopeText)


def _parsed(text: str) -> Mapping[str, frozenset[str]]:
    """`editor=notes:read notes:write, viewer=notes:read` as scopes by role; raises ValueError."""
    roles = {ADMIN: frozenset({ADMIN})}
    for one in filter(None, map(str.strip, text.split(","))):
        name, equals, scopes = (part.strip() for part in one.partition("="))
        if not equals:
            raise ValueError(f"{one!r} is no role: it must look like 'editor=notes:read notes:write'")
        words = frozenset(_SCOPE.validate_python(scopes).split())
        roles[_NAME.validate_python(name)] = words | roles.get(name, frozenset())
    if len(" ".join(frozenset[str]().union(*roles.values()))) > SCOPE_MAX:
        raise ValueError(
            f"all scopes together have at most {SCOPE_MAX} characters, since a token carries them"
        )
    return MappingProxyType(roles)


def _readable(text: str) -> str:
    _parsed(text)
    return text


class RoleSettings(BaseModel):
    """What roles allow."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    roles: Annotated[str, AfterValidator(_readable)] = Field(
        "",
        validation_alias="AUTH_ROLES",
        description="Roles and their scopes, as `editor=notes:read notes:write, viewer=notes:read`; `admin` is always"
        " there, with the scope `admin`.",
    )

    @property
    def scopes(self) -> Mapping[str, frozenset[str]]:
        """The scopes by role."""
        return _parsed(self.roles)


def scope_text(scopes: Mapping[str, frozenset[str]], roles: Iterable[str]) -> str:
    """The scopes of these roles, each once, in order; a role that is not set any more allows nothing."""
    return " ".join(sorted(frozenset[str]().union(*(scopes.get(role, frozenset()) for role in roles))))
