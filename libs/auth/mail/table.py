"""The e-mail part of the table of identity: which method answers which operation."""

from __future__ import annotations

from libs.auth.mail.flows import MailFlows
from libs.domain.auth import (
    CHANGE_EMAIL,
    CHANGE_EMAIL_CONFIRM,
    CODE,
    CODE_CONFIRM,
    PASSWORD_RESET,
    PASSWORD_RESET_CONFIRM,
    VERIFY,
    VERIFY_CONFIRM,
)
from libs.messaging import Handlers


def answer_mail(table: Handlers, flows: MailFlows) -> None:
    """Let the flows answer."""
    table.on(VERIFY, flows.verification.ask)
    table.on(VERIFY_CONFIRM, flows.verification.confirm)
    table.on(PASSWORD_RESET, flows.password_reset.ask)
    table.on(PASSWORD_RESET_CONFIRM, flows.password_reset.confirm)
    table.on(CODE, flows.code_sign_in.ask)
    table.on(CODE_CONFIRM, flows.code_sign_in.confirm)
    table.on(CHANGE_EMAIL, flows.address_change.ask)
    table.on(CHANGE_EMAIL_CONFIRM, flows.address_change.confirm)
