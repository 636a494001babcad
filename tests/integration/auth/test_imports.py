"""Accounts of other systems, imported into a real PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from libs.auth import AccountImport, Format, ImportReport
from libs.auth.callers import Origin
from libs.domain.auth import InvalidCredentials
from libs.messaging import Unavailable
from tests.fixtures.accounts import AuthWorld
from tests.fixtures.foreign_hashes import FOREIGN

OPERATOR = Origin(user_agent="tests")


def written(file: Path, records: list[dict[str, Any]]) -> None:
    file.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


async def bring_in(
    world: AuthWorld, file: Path, records: list[dict[str, Any]], *, write: bool = True
) -> ImportReport:
    written(file, records)
    importer = AccountImport(world.storage, world.clock)
    return await importer.run(file, Format.JSONL, write=write, origin=OPERATOR)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "accounts.jsonl"


async def test_whoever_was_imported_signs_in_and_is_kept_as_argon2id_from_then_on(
    auth: AuthWorld, file: Path
) -> None:
    records = [
        {"email": f"person{number}@example.com", "username": f"person{number}", "password_hash": hash_}
        for number, hash_ in enumerate(FOREIGN.values())
    ]
    report = await bring_in(auth, file, records)
    assert (report.imported, report.present, report.refused) == (len(FOREIGN), 0, 0)
    for number in range(len(FOREIGN)):
        with pytest.raises(InvalidCredentials):
            await auth.login(f"person{number}", "wrong password")
        await auth.login(f"person{number}")
        await auth.login(f"person{number}@example.com")
    hashes = await auth.rows("SELECT hash FROM auth.credentials")
    assert all(row.hash.startswith("$argon2id$v=19$m=7168,t=1,p=1$") for row in hashes)


async def test_a_password_is_first_compared_as_the_old_system_did(auth: AuthWorld, file: Path) -> None:
    """The old system hashed what was typed; ours is the normal form (NFKC)."""
    import bcrypt

    typed = "ﬁne café"
    hash_ = bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode()
    await bring_in(auth, file, [{"email": "ann@example.com", "password_hash": hash_}])
    with pytest.raises(InvalidCredentials):
        await auth.login(password="fine café")
    await auth.login(password=typed)
    await auth.login(password="fine café")


async def test_every_field_arrives(auth: AuthWorld, file: Path) -> None:
    id_ = "018f3c2e-0000-7000-8000-000000000001"
    await bring_in(
        auth,
        file,
        [
            {
                "email": "Ann@Example.com",
                "username": "Ann",
                "email_verified": True,
                "created_at": "2019-05-06T07:08:09Z",
                "metadata": {"theme": "dark"},
                "id": id_,
            }
        ],
    )
    (row,) = await auth.rows("SELECT * FROM auth.accounts")
    assert (str(row.id), row.email, row.email_key, row.username) == (
        id_,
        "Ann@Example.com",
        "ann@example.com",
        "ann",
    )
    assert row.created_at.isoformat() == "2019-05-06T07:08:09+00:00"
    assert row.metadata == {"theme": "dark"}
    assert row.email_verified_at == auth.clock.now()
    assert await auth.rows("SELECT 1 FROM auth.credentials") == []
    with pytest.raises(InvalidCredentials):
        await auth.login()


async def test_a_dry_run_writes_nothing(auth: AuthWorld, file: Path) -> None:
    report = await bring_in(auth, file, [{"email": "ann@example.com"}], write=False)
    assert report.imported == 1
    assert await auth.rows("SELECT 1 FROM auth.accounts") == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"email": "ann"}, "line 2: email: "),
        ({"username": "a b"}, "line 2: username: "),
        ({"password_hash": "$2b$31$" + "C" * 53}, "line 2: password_hash: the cost is 31, more than 14"),
        ({"password_hash": "md5"}, "line 2: password_hash: it is in none of the formats"),
        ({"password_hash": FOREIGN["bcrypt"] + "$"}, "line 2: password_hash: it is no complete bcrypt hash"),
        ({"created_at": "2019-05-06T07:08:09"}, "line 2: created_at: "),
        ({"metadata": [1]}, "line 2: metadata: "),
        ({"admin": True}, "line 2: admin: "),
        ({"email": "FIRST@example.com"}, "line 2: email: line 1 has the same"),
        ({"username": "FIRST"}, "line 2: username: line 1 has the same"),
        ({"email": "bob@example.com", "username": "other"}, "line 2: "),
        ({"username": "bob"}, "line 2: username: it belongs to another account"),
    ],
)
async def test_a_bad_record_is_told_by_its_line_and_the_good_ones_are_not_concerned(
    auth: AuthWorld, file: Path, fields: dict[str, Any], named: str
) -> None:
    await auth.register("bob@example.com", "bob")
    records = [
        {"email": "first@example.com", "username": "first"},
        {"email": "second@example.com", **fields},
        {"email": "third@example.com"},
    ]
    report = await bring_in(auth, file, records, write=False)
    if fields.get("email") == "bob@example.com":
        assert (report.imported, report.present) == (2, 1)  # it is there, whatever it is called by now
        return
    assert (report.imported, report.refused) == (2, 1)
    assert str(report.troubles[0]).startswith(named)


async def test_an_import_that_was_cut_off_goes_on_and_leaves_no_half_batch(
    auth: AuthWorld, file: Path
) -> None:
    records = [
        {"email": f"p{number}@example.com", "password_hash": FOREIGN["bcrypt"]} for number in range(1200)
    ]
    transaction, batches = auth.storage.transaction, 0

    def failing() -> Any:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise Unavailable
        return transaction()

    auth.storage.transaction = failing  # type: ignore[method-assign]  # the database goes away in the middle
    with pytest.raises(Unavailable):
        await bring_in(auth, file, records)
    auth.storage.transaction = transaction  # type: ignore[method-assign]
    ((accounts, passwords),) = await auth.rows(
        "SELECT (SELECT count(*) FROM auth.accounts), (SELECT count(*) FROM auth.credentials)"
    )
    assert (accounts, passwords) == (1000, 1000)
    report = await bring_in(auth, file, records)
    assert (report.imported, report.present, report.refused) == (200, 1000, 0)


async def test_it_is_written_down_and_mails_nobody(auth: AuthWorld, file: Path) -> None:
    await bring_in(auth, file, [{"email": "ann@example.com", "password_hash": FOREIGN["bcrypt"]}])
    (row,) = await auth.rows("SELECT * FROM auth.audit_log WHERE event = 'account.imported'")
    assert (row.user_agent, row.details) == ("tests", {"source": "accounts.jsonl"})
    assert await auth.rows("SELECT 1 FROM auth.outbox WHERE name = 'auth.account.registered'") == []
