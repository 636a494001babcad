from __future__ import annotations

import libs.auth.repository  # ruff: ignore[unused-import]  # brings the tables of its topics
from libs.auth.orm import SCHEMA, Base


def test_every_table_lies_in_the_schema() -> None:
    assert {table.schema for table in Base.metadata.tables.values()} == {SCHEMA}
    assert {table.name for table in Base.metadata.tables.values()} >= {
        "account_roles",
        "accounts",
        "api_keys",
        "audit_log",
        "credentials",
        "inbox",
        "letters",
        "mail_requests",
        "outbox",
        "refresh_tokens",
        "sessions",
        "signing_keys",
    }
