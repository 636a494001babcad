"""SMTP: one message to a mail server, with a bounded wait; the only module that imports aiosmtplib."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import unquote, urlsplit

import aiosmtplib
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
_REFUSED = 500  # from here on a reply code is final (RFC 5321, section 4.2.1)


def _smtp_url(url: SecretStr | None) -> SecretStr | None:
    """Refuse what is no URL of a mail server before anything connects, without repeating it."""
    if url is None:
        return None
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must look like smtps://user:password@host:465, smtp://... or smtp+plain://...")
    return url


def _sender(value: str) -> str:
    local, _, domain = parseaddr(value)[1].rpartition("@")
    if not local or not domain or not value.isprintable():
        raise ValueError("it must look like Name <somebody@example.com>")
    return value


class SmtpSettings(BaseModel):
    """The mail server, and who mail is from."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Annotated[SecretStr | None, AfterValidator(_smtp_url)] = Field(
        None,
        validation_alias="SMTP_URL",
        description="`smtps://user:password@host:465` (TLS at once), `smtp://` (STARTTLS, demanded, 587) or "
        "`smtp+plain://` (not encrypted, 25); without it there is no e-mail. `up` sets it to a mail sink of its own.",
    )
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        "Gatehouse <no-reply@localhost>",
        validation_alias="SMTP_SENDER",
        description="Whom mail is from: `Name <somebody@example.com>`.",
    )
    timeout: float = Field(
        10.0,
        gt=0,
        le=60,
        validation_alias="SMTP_TIMEOUT",
        description="How long the delivery of one message may take, from the connection on (s).",
    )
    ca_file: str | None = Field(
        None,
        validation_alias="SMTP_CA_FILE",
        description="Certificates (PEM) that the mail server's is checked against; the system's without it.",
    )


class MailAway(Exception):
    """The mail server does not take the message now; the same message may go out later."""


class MailRefused(Exception):
    """The mail server will never take this message."""


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int
    tls: bool
    plain: bool
    username: str | None
    password: str | None = field(repr=False)


class Smtp:
    """Hands messages to one mail server, each over a connection of its own."""

    def __init__(self, settings: SmtpSettings) -> None:
        self.sender = settings.sender
        self.timeout = settings.timeout
        self._ca_file = settings.ca_file
        self._server = _server(settings.url) if settings.url else None

    @property
    def configured(self) -> bool:
        """Whether there is a mail server at all."""
        return self._server is not None

    async def deliver(self, message: EmailMessage, *, to: str) -> None:
        """Return once the server has taken the message for this address; raises `MailAway` or `MailRefused`."""
        if self._server is None:
            raise MailAway("no mail server is set")
        client = self._client(self._server)
        try:
            async with asyncio.timeout(self.timeout):
                await _connect(client)
                await _hand_over(client, message, sender=self.sender, to=to)
        except TimeoutError:
            raise MailAway(f"the mail server did not take the message within {self.timeout:g} s") from None
        finally:
            client.close()

    def _client(self, server: _Server) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            timeout=self.timeout,
            use_tls=server.tls,
            start_tls=not (server.tls or server.plain),
            cert_bundle=self._ca_file,
        )


async def _connect(client: aiosmtplib.SMTP) -> None:
    """Reach the server, encrypt and log in; whatever fails here is the server's or the settings', not the message's."""
    try:
        await client.connect()
    except aiosmtplib.SMTPResponseException as error:
        raise MailAway(f"the mail server refuses the connection with {error.code}") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailAway(f"the mail server cannot be reached: {type(error).__name__}") from error


async def _hand_over(client: aiosmtplib.SMTP, message: EmailMessage, *, sender: str, to: str) -> None:
    try:
        await client.send_message(message, sender=parseaddr(sender)[1], recipients=[to])
    except aiosmtplib.SMTPRecipientsRefused as error:
        code = min(one.code for one in error.recipients)
        raise _refusal(code, "the recipient") from error
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error.code, "the message") from error
    except aiosmtplib.SMTPNotSupported as error:
        raise MailRefused("the mail server cannot carry this address") from error
    except aiosmtplib.SMTPResponseException as error:
        raise MailAway(f"the mail server answers {error.code}") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailAway(f"the mail server broke off: {type(error).__name__}") from error
    with suppress(
        aiosmtplib.SMTPException, OSError
    ):  # it has the message; how it says goodbye does not matter
        await client.quit()


def _refusal(code: int, what: str) -> MailAway | MailRefused:
    reason = f"the mail server refuses {what} with {code}"
    return MailRefused(reason) if code >= _REFUSED else MailAway(reason)


def _server(url: SecretStr) -> _Server:
    parts = urlsplit(url.get_secret_value())
    return _Server(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        plain=parts.scheme == "smtp+plain",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
