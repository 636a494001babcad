"""The door to mail servers, against real ones (aiosmtpd) and bad ones."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from libs.infra.smtp import MailAway, MailRefused, Smtp, SmtpSettings
from libs.local import MailSink
from tests.fixtures.ports import held_port
from tests.fixtures.services import SessionServices


def message(text: str = "hello") -> EmailMessage:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"] = "Us <us@example.com>", "ann@example.com", "Привет"
    one.set_content(text)
    return one


def smtp(url: str, **values: Any) -> Smtp:
    return Smtp(SmtpSettings(url=SecretStr(url), sender="Us <us@example.com>", **values))


class Answers:
    """A server that says what it is told to say."""

    def __init__(self, *, recipient: str = "250 ok", data: str = "250 ok") -> None:
        self.recipient = recipient
        self.data = data
        self.taken: list[Envelope] = []

    async def handle_RCPT(  # ruff: ignore[invalid-function-name]  # aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(  # ruff: ignore[invalid-function-name]  # aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.taken.append(envelope)
        return self.data


@asynccontextmanager
async def listening(protocol: Callable[[], asyncio.BaseProtocol], **options: Any) -> AsyncGenerator[int]:
    port = held_port()
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, **options)
    try:
        yield port
    finally:
        server.close()


@asynccontextmanager
async def answering(answers: Answers, **options: Any) -> AsyncGenerator[int]:
    loop = asyncio.get_running_loop()
    async with listening(lambda: SMTP(answers, loop=loop, **options)) as port:
        yield port


@pytest.fixture
def sink(services: SessionServices) -> MailSink:
    return services.mail


async def test_a_message_arrives_as_it_was_written(sink: MailSink) -> None:
    await smtp(sink.url).deliver(message("Добрый день\n"), to="ann@example.com")

    newest = sink.mailbox.all()[-1]

    assert (newest.subject, newest.recipient) == ("Привет", "ann@example.com")
    assert newest.body("plain") == "Добрый день\n"


async def test_an_address_beyond_ascii_is_carried_where_the_server_can(sink: MailSink) -> None:
    await smtp(sink.url).deliver(message(), to="аня@example.com")
    async with answering(Answers()) as port:
        with pytest.raises(MailRefused):
            await smtp(f"smtp+plain://127.0.0.1:{port}").deliver(message(), to="аня@example.com")


async def test_a_wrong_password_is_no_fault_of_the_message(sink: MailSink) -> None:
    host = sink.url.rpartition("@")[2]
    with pytest.raises(MailAway, match="535") as refused:
        await smtp(f"smtp+plain://gatehouse:secret@{host}").deliver(message(), to="ann@example.com")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (Answers(recipient="550 no such user"), MailRefused),
        (Answers(recipient="451 try later"), MailAway),
        (Answers(data="554 looks like spam"), MailRefused),
        (Answers(data="452 no space"), MailAway),
    ],
)
async def test_what_is_final_is_told_from_what_passes(answers: Answers, error: type[Exception]) -> None:
    async with answering(answers) as port:
        with pytest.raises(error):
            await smtp(f"smtp+plain://127.0.0.1:{port}").deliver(message(), to="ann@example.com")


async def test_the_envelope_holds_bare_addresses() -> None:
    answers = Answers()
    async with answering(answers) as port:
        await smtp(f"smtp+plain://127.0.0.1:{port}").deliver(message(), to="ann@example.com")

    (taken,) = answers.taken
    assert (taken.mail_from, taken.rcpt_tos) == ("us@example.com", ["ann@example.com"])


async def test_a_server_that_is_away_or_silent_is_given_up_in_time() -> None:
    with pytest.raises(MailAway):
        await smtp(f"smtp+plain://127.0.0.1:{held_port()}").deliver(message(), to="ann@example.com")
    async with listening(asyncio.Protocol) as port:
        with pytest.raises(MailAway):
            await smtp(f"smtp+plain://127.0.0.1:{port}", timeout=0.3).deliver(message(), to="a@example.com")


async def test_without_a_server_nothing_is_delivered() -> None:
    nowhere = Smtp(SmtpSettings())
    assert not nowhere.configured
    with pytest.raises(MailAway):
        await nowhere.deliver(message(), to="ann@example.com")


class TestEncryption:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A certificate of 127.0.0.1 and its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        now = dt.datetime.now(dt.UTC)
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(alternative, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = tmp_path / "server.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
        return file

    @pytest.fixture
    def tls(self, certificate: Path) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        return context

    async def test_starttls_is_demanded(self, certificate: Path, tls: ssl.SSLContext) -> None:
        answers = Answers()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            async with answering(answers, tls_context=tls, require_starttls=True) as port:
                url = f"smtp://127.0.0.1:{port}"
                await smtp(url, ca_file=str(certificate)).deliver(message(), to="ann@example.com")
        async with answering(Answers()) as port:  # offers none
            with pytest.raises(MailAway):
                await smtp(f"smtp://127.0.0.1:{port}").deliver(message(), to="ann@example.com")
        assert len(answers.taken) == 1

    async def test_a_certificate_that_nobody_vouches_for_is_refused(
        self, certificate: Path, tls: ssl.SSLContext
    ) -> None:
        answers = Answers()
        loop = asyncio.get_running_loop()
        async with listening(lambda: SMTP(answers, loop=loop), ssl=tls) as port:
            url = f"smtps://127.0.0.1:{port}"
            await smtp(url, ca_file=str(certificate)).deliver(message(), to="ann@example.com")
            with pytest.raises(MailAway):
                await smtp(url).deliver(message(), to="ann@example.com")
        assert len(answers.taken) == 1
