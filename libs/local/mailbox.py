"""The mailbox of the local mail sink: one file per message, the newest few of which are kept."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

KEPT = 200
"""Messages; older ones are removed as new ones come."""
LARGEST = 1024 * 1024
"""Bytes of one message."""


@dataclass(frozen=True)
class Mail:
    """One message that came."""

    number: int
    received: datetime
    message: EmailMessage

    @property
    def recipient(self) -> str:
        """For whom it is."""
        return self._header("To")

    @property
    def subject(self) -> str:
        """What it says it is about."""
        return self._header("Subject")

    def body(self, kind: str) -> str:
        """Its text as `plain` or `html`; empty where it has none."""
        part = self.message.get_body((kind,))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""

    def _header(self, name: str) -> str:
        return str(self.message.get(name, ""))


class Mailbox:
    """A folder of messages, numbered from 1 in the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, content: bytes) -> int:
        """Keep a message, whole or not at all, and say its number; one process writes."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = sorted(self._files())
        number = numbers[-1] + 1 if numbers else 1
        fresh = self._folder / "arriving"
        fresh.write_bytes(content)
        fresh.replace(self._file(number))
        for old in numbers[: max(0, len(numbers) + 1 - KEPT)]:
            self._file(old).unlink(missing_ok=True)
        return number

    def all(self) -> list[Mail]:
        """Every message that is kept, oldest first."""
        return [mail for number in sorted(self._files()) if (mail := self.one(number))]

    def one(self, number: int) -> Mail | None:
        """The message of this number."""
        file = self._file(number)
        try:
            content, changed = file.read_bytes(), file.stat().st_mtime
        except FileNotFoundError:
            return None
        message = email.message_from_bytes(content, policy=email.policy.default)
        return Mail(number, datetime.fromtimestamp(changed, UTC), message)

    def _files(self) -> Iterator[int]:
        return (int(file.stem) for file in self._folder.glob("*.eml") if file.stem.isdecimal())

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06}.eml"
