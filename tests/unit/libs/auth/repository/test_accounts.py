from __future__ import annotations

from libs.auth.repository.accounts import belongings


def test_whatever_names_an_account_goes_with_it_but_sessions_and_the_audit() -> None:
    found = {(table.name, column.name) for table, column in belongings()}
    assert found == {
        ("account_roles", "account_id"),
        ("api_keys", "account_id"),
        ("credentials", "account_id"),
        ("letters", "account_id"),
        ("mail_requests", "account_id"),
    }
