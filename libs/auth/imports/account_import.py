"""The import: every record is judged, and whole batches of good ones are written, each in one transaction.

Running it again goes on where it ended: accounts that are there already are counted and left as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError
from typing_extensions import override

from libs.auth.callers import Origin
from libs.auth.imports.files import Format, Record, records
from libs.auth.imports.rows import ImportedAccount
from libs.auth.repository import Happened, Storage
from libs.auth.repository.imports import Existing, Foreign
from libs.infra.clock import Clock
from libs.messaging import ValidationFailed, new_message_id

_BATCH = 500
_TOLD = 1000  # troubles that a report holds; the rest is counted


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a record cannot be imported."""

    line: int
    field: str
    message: str

    @override
    def __str__(self) -> str:
        return f"line {self.line}: {f'{self.field}: ' if self.field else ''}{self.message}"


@dataclass
class ImportReport:
    """What became of the records, or would have become of them."""

    imported: int = 0
    present: int = 0
    """Accounts that were there already."""
    refused: int = 0
    troubles: list[Trouble] = field(default_factory=list)

    def refuse(self, *troubles: Trouble) -> None:
        """Count a record that cannot be imported."""
        self.refused += 1
        self.troubles.extend(troubles[: _TOLD - len(self.troubles)])


class _Seen:
    """The names and ids that earlier records of the file have, and on which lines."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, object], int] = {}

    def repeated(self, line: int, account: ImportedAccount, foreign: Foreign) -> Trouble | None:
        """Which name or id an earlier record has; else these are taken from now on."""
        keys = [("email", foreign.email_key), ("username", account.username), ("id", account.id)]
        named = [(name, key) for name, key in keys if key is not None]
        for one in named:
            if one in self._lines:
                return Trouble(line, one[0], f"line {self._lines[one]} has the same")
        self._lines.update(dict.fromkeys(named, line))
        return None


class AccountImport:
    """Brings accounts of another system in."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def run(self, file: Path, format_: Format, *, write: bool, origin: Origin) -> ImportReport:
        """Judge every record, and with ``write`` make the accounts; raises `FileUnreadable`."""
        report, seen = ImportReport(), _Seen()
        for batch in _batches(records(file, format_)):
            good = [judged for record in batch if (judged := self._judged(record, seen, report))]
            if write:
                await self._write(good, report, origin, file.name)
            else:
                async with self._storage.statements() as stored:
                    existing = await stored.imports.existing([one for _, one in good])
                report.imported += len(_new(good, existing, report))
        return report

    async def _write(
        self, good: list[tuple[int, Foreign]], report: ImportReport, origin: Origin, source: str
    ) -> None:
        """One batch in one transaction."""
        async with self._storage.transaction() as stored:
            new = _new(good, await stored.imports.existing([one for _, one in good]), report)
            if not new:
                return
            made = await stored.imports.add([one for _, one in new], self._clock.now())
            await stored.audit.add_all(
                [
                    Happened("account.imported", account_id=id_, origin=origin, details={"source": source})
                    for id_ in made
                ]
            )
        for line, one in new:
            if one.id in made:
                report.imported += 1
            else:
                report.refuse(
                    Trouble(line, "email", "another account took the address or the username just now")
                )

    def _judged(self, record: Record, seen: _Seen, report: ImportReport) -> tuple[int, Foreign] | None:
        """The account that a record holds, where it holds a good one."""
        if record.damage:
            report.refuse(Trouble(record.line, "", record.damage))
            return None
        try:
            account = ImportedAccount.model_validate(record.fields)
        except ValidationError as error:
            errors = ValidationFailed.of(error).errors
            report.refuse(*(Trouble(record.line, one.field, one.message) for one in errors))
            return None
        foreign = self._foreign(account)
        if repeated := seen.repeated(record.line, account, foreign):
            report.refuse(repeated)
            return None
        return record.line, foreign

    def _foreign(self, account: ImportedAccount) -> Foreign:
        return Foreign(
            id=account.id or UUID(new_message_id()),
            email=account.email,
            username=account.username,
            password_hash=account.password_hash,
            verified=account.email_verified,
            metadata=account.metadata,
            created_at=account.created_at or self._clock.now(),
        )


def _new(
    good: Sequence[tuple[int, Foreign]], existing: Iterable[Existing], report: ImportReport
) -> list[tuple[int, Foreign]]:
    """Those that are not there yet; the others are counted, or refused where a name is somebody else's."""
    by_email, by_username, by_id = {}, {}, {}
    for one in existing:
        by_email[one.email_key] = by_id[one.id] = one
        if one.username is not None:
            by_username[one.username] = one
    new = []
    for line, account in good:
        same = by_email.get(account.email_key)
        named = by_username.get(account.username or "")
        if same is None and named is None and account.id not in by_id:
            new.append((line, account))
        elif same is not None and named in {None, same} and by_id.get(account.id, same) is same:
            report.present += 1
        else:
            name = "email" if same is not None else "username" if named is not None else "id"
            report.refuse(Trouble(line, name, "it belongs to another account"))
    return new


def _batches(found: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(found, _BATCH)):
        yield batch
