from __future__ import annotations

from libs.auth.orm import SCHEMA, Base


def test_every_table_lies_in_the_schema() -> None:
    assert {table.schema for table in Base.metadata.tables.values()} == {SCHEMA}
    assert {table.name for table in Base.metadata.tables.values()} == {
        "accounts",
        "audit_log",
        "credentials",
        "inbox",
        "outbox",
        "refresh_tokens",
        "sessions",
        "signing_keys",
    }
