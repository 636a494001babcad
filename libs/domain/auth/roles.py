"""Roles by name."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

ADMIN = "admin"
"""The role that is always there, and the scope that it gives."""
RoleName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$", examples=["editor"])]
