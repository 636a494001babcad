"""Composing: from what a letter says to a message that a mail server takes."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from uuid import UUID

from libs.auth.mail.letters import Letter
from libs.auth.mail.templates import Rendered


def compose(letter: Letter, said: Rendered, *, letter_id: UUID, sender: str, at: datetime) -> EmailMessage:
    """The message; one that is sent twice has the same Message-ID, by which mailboxes know it."""
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = said.subject
    message["Date"] = at
    message["Message-ID"] = f"<{letter_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: nobody's absence note answers it
    message.set_content(said.text)
    message.add_alternative(said.html, subtype="html")
    message["Content-Language"] = letter.locale
    return message
