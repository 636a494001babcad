"""The mail sink as a process: who knows its password can leave mail, which survives what the process does not."""

import os
import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest

from libs.local import MailSink
from libs.local.mailbox import LARGEST
from tests.fixtures.services import SessionServices


@pytest.fixture
def sink(services: SessionServices) -> MailSink:
    return services.mail


def connected(sink: MailSink, *, password: str | None = None) -> smtplib.SMTP:
    url = urlsplit(sink.url)
    link = smtplib.SMTP("127.0.0.1", url.port or 0, timeout=30)
    try:
        link.login(url.username or "", password or url.password or "")
    except smtplib.SMTPException:
        link.close()
        raise
    return link


def message(text: str = "hello") -> EmailMessage:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"] = "a@example.com", "b@example.com", "From a test"
    one.set_content(text)
    return one


def test_what_is_sent_is_kept_for_its_owner_alone(sink: MailSink) -> None:
    with connected(sink) as link:
        link.send_message(message())

    newest = sink.mailbox.all()[-1]
    folder = sink.state.data / "mail" / "messages"

    assert newest.subject == "From a test"
    assert newest.body("plain") == "hello\n"
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}


def test_a_stranger_is_refused(sink: MailSink) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError):
        connected(sink, password="wrong")
    url = urlsplit(sink.url)
    link = smtplib.SMTP("127.0.0.1", url.port or 0, timeout=30)
    with link, pytest.raises(smtplib.SMTPSenderRefused):
        link.send_message(message())


def test_a_message_beyond_the_bound_is_refused(sink: MailSink) -> None:
    with connected(sink) as link, pytest.raises(smtplib.SMTPSenderRefused):
        link.send_message(message("x" * LARGEST))


def test_killed_and_started_again_it_has_what_it_had(sink: MailSink) -> None:
    with connected(sink) as link:
        link.send_message(message())
    before = [one.number for one in sink.mailbox.all()]
    pid = sink.pid

    sink.kill()
    sink.start()

    assert sink.pid != pid
    with connected(sink) as link:
        link.send_message(message())
    assert [one.number for one in sink.mailbox.all()] == [*before, before[-1] + 1]


def test_it_ends_in_order(sink: MailSink) -> None:
    pid = sink.pid
    sink.stop()
    try:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        sink.start()
