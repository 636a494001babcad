"""The admins' part of the table of identity: which method answers which operation."""

from __future__ import annotations

from libs.auth.admin.accounts import AdministeredAccounts
from libs.auth.admin.export import Export
from libs.auth.admin.records import Records
from libs.auth.admin.restraints import Restraints
from libs.auth.mail import MailFlows
from libs.auth.rules import Rules
from libs.domain.auth import (
    ADMIN_CREATE,
    ADMIN_DELETE,
    ADMIN_DISABLE,
    ADMIN_ENABLE,
    ADMIN_END_SESSIONS,
    ADMIN_EXPORT,
    ADMIN_FIND,
    ADMIN_GET,
    ADMIN_GIVE_ROLE,
    ADMIN_RESET_FACTORS,
    ADMIN_TAKE_ROLE,
)
from libs.messaging import Handlers


def answer_admins(table: Handlers, rules: Rules, mail: MailFlows) -> None:
    """Let admins in; the contract asks each of them for the scope, and what does more than look for a recent sign-in."""
    records = Records(rules.storage)
    accounts = AdministeredAccounts(rules.storage, rules.roles, rules.endings, mail, rules.clock)
    restraints = Restraints(rules.storage, rules.closing, rules.roles, rules.endings, rules.clock)
    recently = rules.recent.asked
    table.on(ADMIN_FIND, records.find)
    table.on(ADMIN_GET, records.get)
    table.on(ADMIN_EXPORT, recently(Export(rules.storage).export))
    table.on(ADMIN_CREATE, recently(accounts.create))
    table.on(ADMIN_RESET_FACTORS, recently(accounts.reset_factors))
    table.on(ADMIN_DISABLE, recently(restraints.disable))
    table.on(ADMIN_ENABLE, recently(restraints.enable))
    table.on(ADMIN_DELETE, recently(restraints.delete))
    table.on(ADMIN_END_SESSIONS, recently(restraints.end_sessions))
    table.on(ADMIN_GIVE_ROLE, recently(restraints.give_role))
    table.on(ADMIN_TAKE_ROLE, recently(restraints.take_role))
