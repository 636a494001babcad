"""The table of roles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, SQLColumnExpression, Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.auth.orm import AccountRow, Base


class AccountRoleRow(Base):
    """A role that an account has; what the role allows is a setting."""

    __tablename__ = "account_roles"
    __table_args__ = (Index("ix_account_roles_role", "role"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id, ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    given_at: Mapped[datetime]


def roles_of(account_id: SQLColumnExpression[UUID]) -> ColumnElement[Sequence[str]]:
    """The names of an account's roles as an array, beside whatever else a statement reads."""
    row = AccountRoleRow
    names = select(row.role).where(row.account_id == account_id).order_by(row.role)
    return func.array(names.scalar_subquery(), type_=ARRAY(Text)).label("roles")
