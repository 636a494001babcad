"""What comes is kept in its order, within a bound."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from libs.local import Mailbox
from libs.local.mailbox import KEPT


def message(subject: str = "Hello") -> bytes:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"] = "a@example.com", "b@example.com", subject
    one.set_content("the text\n")
    one.add_alternative("<p>the text</p>\n", subtype="html")
    return one.as_bytes()


def test_messages_are_numbered_as_they_come_and_read_back(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    assert [box.add(message(subject)) for subject in ("first", "Привет")] == [1, 2]

    (first, second) = box.all()

    assert (first.number, first.subject, first.recipient) == (1, "first", "b@example.com")
    assert second.subject == "Привет"
    assert (second.body("plain"), second.body("html")) == ("the text\n", "<p>the text</p>\n")


def test_an_empty_mailbox_has_nothing(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "none")

    assert box.all() == []
    assert box.one(1) is None


@pytest.mark.parametrize("more", [0, 1, 30])
def test_only_the_newest_are_kept_and_numbers_go_on(tmp_path: Path, more: int) -> None:
    box = Mailbox(tmp_path)
    for _ in range(KEPT + more):
        last = box.add(message())

    numbers = [one.number for one in box.all()]
    assert numbers == list(range(more + 1, KEPT + more + 1))
    assert Mailbox(tmp_path).add(message()) == last + 1


def test_a_message_without_headers_is_shown_too(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.add(b"\r\nonly text\r\n")

    (one,) = box.all()

    assert (one.subject, one.recipient) == ("", "")
    assert one.body("plain").strip() == "only text"
    assert not one.body("html")
