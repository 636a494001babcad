"""Composing: from what a letter says to a message that a mail server takes."""

from __future__ import annotations

from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import parseaddr
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from libs.auth.mail.letters import Letter
from libs.auth.mail.templates import Rendered
from libs.infra.smtp import MailRefused


def mailbox(address: str) -> str:
    """The address for a mail server: its domain in ASCII (RFC 5891), so that only a local part can ask for SMTPUTF8.

    Raises `MailRefused` for what is no address.
    """
    if address.isascii():
        return address
    try:
        found = validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        raise MailRefused("this is no address") from error
    return f"{found.local_part}@{found.ascii_domain}"


def compose(letter: Letter, said: Rendered, *, letter_id: UUID, sender: str, at: datetime) -> EmailMessage:
    """The message; one that is sent twice has the same Message-ID, by which mailboxes know it.

    Raises `MailRefused` for an address that no header can carry.
    """
    name, address = parseaddr(sender)
    to = mailbox(letter.to)
    message = EmailMessage(policy=SMTP if to.isascii() else SMTPUTF8)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = _recipient(to)
    message["Subject"] = said.subject
    message["Date"] = at
    message["Message-ID"] = f"<{letter_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: nobody's absence note answers it
    message.set_content(said.text)
    message.add_alternative(said.html, subtype="html")
    message["Content-Language"] = letter.locale
    return message


def _recipient(address: str) -> Address:
    try:
        if address.isascii():
            return Address(addr_spec=address)
        local, _, domain = address.rpartition("@")  # which `addr_spec` takes in ASCII alone
        return Address(username=local, domain=domain)
    except (MessageError, ValueError) as error:
        raise MailRefused("no header can carry this address") from error
