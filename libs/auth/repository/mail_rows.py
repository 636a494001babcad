"""The tables of e-mail, in the schema `auth`: requests that wait for a code, and letters that wait for the mail server."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.auth.orm import SCHEMA, Base


class MailRequestRow(Base):
    """Something that a code from a letter confirms. Its id is known to whoever asked, here only as SHA-256.

    `account_id` is empty where nobody can confirm it: the address belongs to nobody, or to somebody else; of a registration it
    is the id that the account will have. Nothing refers to the account by key, so that a row costs the same with an account and
    without. `address` is the SHA-256 of the
    address that the code goes to; `code` and `sealed` (what is to be done) are under keys that only the id gives.
    """

    __tablename__ = "mail_requests"
    __table_args__ = (
        CheckConstraint("purpose IN ('register', 'verify', 'reset', 'code', 'change')", name="purpose"),
        Index("ix_mail_requests_open", "account_id", postgresql_where=text("closed_at IS NULL")),
        Index("ix_mail_requests_expires_at", "expires_at"),
    )

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    account_id: Mapped[UUID | None]
    address: Mapped[bytes]
    code: Mapped[bytes]
    sealed: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class LetterRow(Base):
    """A letter that waits to be sent: to whom and what it says is sealed under the keys that seal signing keys."""

    __tablename__ = "letters"
    __table_args__ = (Index("ix_letters_not_before", "not_before"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID | None]
    template: Mapped[str]
    sealed: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    not_before: Mapped[datetime]


MAIL_REQUESTS = Base.metadata.tables[f"{SCHEMA}.mail_requests"]
LETTERS = Base.metadata.tables[f"{SCHEMA}.letters"]
