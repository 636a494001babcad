"""E-mail: what is confirmed with a code from a letter, and how letters leave."""

from libs.auth.mail.flows import MailFlows, NoMailServer
from libs.auth.mail.letters import Template
from libs.auth.mail.relay import MailRelay
from libs.auth.mail.settings import MailSettings
from libs.auth.mail.table import answer_mail
from libs.auth.mail.templates import TemplateBroken

__all__ = [
    "MailFlows",
    "MailRelay",
    "MailSettings",
    "NoMailServer",
    "Template",
    "TemplateBroken",
    "answer_mail",
]
