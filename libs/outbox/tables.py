"""The tables `outbox` and `inbox`, which every service has in its own schema."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)


def outbox_table(metadata: MetaData) -> Table:
    """Events that were decided in a transaction and wait to be told; `id` is the event's message id."""
    return Table(
        "outbox",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("name", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("channel", Text, nullable=False, server_default=""),
        Column("mandatory", Boolean, nullable=False, server_default=text("false")),
        Column("traceparent", Text, nullable=False, server_default=""),
        Column("urgent", Boolean, nullable=False, server_default=text("false")),
        Column("origin", Text, nullable=False, server_default=""),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("not_before", DateTime(timezone=True)),
        Column("sent_at", DateTime(timezone=True)),
        Index("ix_outbox_unsent", "urgent", "id", postgresql_where=text("sent_at IS NULL")),
        Index("ix_outbox_sent", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
    )


def inbox_table(metadata: MetaData) -> Table:
    """Events whose effects are in the database: one row per listener and message id."""
    return Table(
        "inbox",
        metadata,
        Column("listener", Text, primary_key=True),
        Column("message_id", Uuid, primary_key=True),
        Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("ix_inbox_received_at", "received_at"),
    )
