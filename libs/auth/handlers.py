"""The table of identity: which method answers which operation."""

from __future__ import annotations

from libs.auth.admin import answer_admins
from libs.auth.keys import Keys
from libs.auth.mail import MailFlows, answer_mail
from libs.auth.rules import Rules
from libs.auth.throttling import Rates
from libs.domain.auth import (
    API_KEYS,
    CHANGE_PASSWORD,
    CREATE_API_KEY,
    DELETE_ME,
    END_SESSION,
    HASHING,
    KEYS,
    KEYS_ROTATED,
    LOGIN,
    LOGOUT,
    LOGOUT_ALL,
    LOGOUT_BY_TOKEN,
    LOGOUT_OTHERS,
    ME,
    REFRESH,
    REGISTER,
    REVOCATIONS,
    REVOKE_API_KEY,
    SESSIONS,
    TOKEN,
    UPDATE_ME,
    VALIDATE,
    VALIDATE_API_KEY,
)
from libs.messaging import Handlers, Lane, Listeners

SERVICE = "auth"


def handlers(rules: Rules, mail: MailFlows, rates: Rates, *, hashing: Lane) -> Handlers:
    """What auth_svc answers; ``hashing`` is the lane of whatever hashes a password."""
    accounts, sessions, departures = rules.accounts, rules.sessions, rules.departures
    table = Handlers(SERVICE, lanes={HASHING: hashing})
    table.on(REGISTER, rates.limited(rates.register, mail.registration.register))
    table.on(LOGIN, accounts.login)
    table.on(ME, accounts.me)
    table.on(REFRESH, rates.limited(rates.refresh, sessions.refresh))
    table.on(LOGOUT, departures.logout)
    table.on(LOGOUT_BY_TOKEN, rates.limited(rates.refresh, departures.logout_by_token))
    table.on(LOGOUT_ALL, departures.logout_all)
    table.on(LOGOUT_OTHERS, departures.logout_others)
    table.on(SESSIONS, departures.sessions)
    table.on(END_SESSION, departures.end_session)
    table.on(UPDATE_ME, accounts.update_me)
    table.on(CHANGE_PASSWORD, mail.own_acts.change_password)
    table.on(DELETE_ME, rules.closing.delete_me)
    table.on(VALIDATE, sessions.validate)
    table.on(REVOCATIONS, sessions.revocations)
    table.on(KEYS, rules.keys.published)
    answer_mail(table, mail)
    answer_admins(table, rules, mail)
    _answer_programs(table, rules, mail, rates)
    return table


def _answer_programs(table: Handlers, rules: Rules, mail: MailFlows, rates: Rates) -> None:
    """What programs and their owners ask for."""
    keys, services = rules.api_keys, rules.service_accounts
    table.on(TOKEN, rates.limited(rates.token, services.token))
    table.on(CREATE_API_KEY, rules.recent.asked(mail.own_acts.create_api_key))  # it outlives the session
    table.on(API_KEYS, keys.list)
    table.on(REVOKE_API_KEY, keys.revoke)
    table.on(VALIDATE_API_KEY, keys.validate)


def control_listeners(keys: Keys) -> Listeners:
    """What every process of auth_svc hears."""
    table = Listeners(SERVICE)
    table.on(KEYS_ROTATED, keys.heard_rotation)
    return table
