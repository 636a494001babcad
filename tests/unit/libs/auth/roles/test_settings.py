from __future__ import annotations

import pytest
from pydantic import ValidationError

from libs.auth.roles.settings import RoleSettings, scope_text

ROLES = "editor=notes:read notes:write, viewer=notes:read,"


def test_admin_is_always_there() -> None:
    assert RoleSettings().scopes == {"admin": {"admin"}}
    assert RoleSettings(roles="admin=notes:read").scopes["admin"] == {"admin", "notes:read"}


def test_a_token_has_each_scope_once_and_in_order() -> None:
    scopes = RoleSettings(roles=ROLES).scopes
    assert scope_text(scopes, ["viewer", "editor", "admin"]) == "admin notes:read notes:write"
    assert not scope_text(scopes, [])


def test_a_role_that_is_set_no_more_allows_nothing() -> None:
    assert not scope_text(RoleSettings().scopes, ["editor"])


@pytest.mark.parametrize(
    "text", ["editor", "Editor=notes:read", "=notes:read", 'editor=no"quotes', "e=" + "x" * 1001]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        RoleSettings(roles=text)


def test_tokens_stay_small() -> None:
    many = ", ".join(f"role{n}={'s' * 90}{n}" for n in range(20))
    with pytest.raises(ValidationError, match="1000"):
        RoleSettings(roles=many)
