from datetime import UTC, datetime
from email.message import EmailMessage
from uuid import UUID

import pytest

from libs.auth.mail.composing import compose, mailbox
from libs.auth.mail.letters import Letter, Template
from libs.auth.mail.templates import Rendered
from libs.infra.smtp import MailRefused

ID = UUID("01890000-0000-7000-8000-000000000001")
SAID = Rendered("Привет", "the text\n", "<p>the text</p>\n")


def test_a_message_has_both_bodies_and_one_identity() -> None:
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    letter = Letter(Template.RESET, "ann@example.com", "ru")
    message = compose(letter, SAID, letter_id=ID, sender="Us & Co <us@example.org>", at=at)

    assert message["From"] == "Us & Co <us@example.org>"
    assert (message["To"], message["Subject"]) == ("ann@example.com", "Привет")
    assert message["Message-ID"] == f"<{ID}@example.org>"
    assert message["Date"] == "Fri, 02 Jan 2026 03:04:00 +0000"
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "ru")
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert "Привет" not in message.as_bytes().decode("ascii")


def composed(to: str) -> EmailMessage:
    letter = Letter(Template.RESET, to, "en")
    return compose(letter, SAID, letter_id=ID, sender="us@example.org", at=datetime(2026, 1, 2, tzinfo=UTC))


def test_a_domain_goes_out_in_ascii_so_that_every_server_carries_it() -> None:
    assert mailbox("ann@пример.рф") == "ann@xn--e1afmkfd.xn--p1ai"
    message = composed("ann@пример.рф")
    assert "To: ann@xn--e1afmkfd.xn--p1ai\r\n" in message.as_bytes().decode("ascii")


def test_a_local_part_of_another_script_goes_out_as_it_is() -> None:
    assert mailbox("аня@пример.рф") == "аня@xn--e1afmkfd.xn--p1ai"
    assert "To: аня@example.com\r\n".encode() in composed("аня@example.com").as_bytes()


@pytest.mark.parametrize(
    "to",
    [
        "=?utf-8?q?ann?=@example.com",
        "=?utf-8?q?=0D=0ABcc=3A_eve=40example.net?=@example.com",
        "ann@example.com\r\nBcc: eve@example.net",
        "аня\r\nBcc: eve@example.net",
        "ann@example.com, eve@example.net",
    ],
)
def test_an_address_that_no_header_can_carry_is_refused(to: str) -> None:
    with pytest.raises(MailRefused):
        composed(to)
