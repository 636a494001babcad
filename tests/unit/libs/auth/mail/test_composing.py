from datetime import UTC, datetime
from uuid import UUID

from libs.auth.mail.composing import compose
from libs.auth.mail.letters import Letter, Template
from libs.auth.mail.templates import Rendered

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
