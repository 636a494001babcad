"""Roles: what accounts may do, given and taken by name, and seen by services as scopes."""

from libs.auth.roles.roles import Roles, refuse_last_admin
from libs.auth.roles.settings import RoleSettings

__all__ = ["RoleSettings", "Roles", "refuse_last_admin"]
