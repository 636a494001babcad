"""The rules of identity: accounts, sessions, tokens, keys and passwords."""

from libs.auth.accounts import Accounts
from libs.auth.administration import Administration, UnknownAccount
from libs.auth.breaches import Breaches, BreachSettings
from libs.auth.chores import Chore, Chores
from libs.auth.closing import Closing
from libs.auth.departures import Departures
from libs.auth.endings import Endings
from libs.auth.extra_claims import ClaimsSettings
from libs.auth.handlers import SERVICE, control_listeners, handlers
from libs.auth.hashing import HashPool
from libs.auth.imports import AccountImport, FileUnreadable, Format, ImportReport
from libs.auth.key_changes import KeyRevocation, Rotation, UnknownSigningKey
from libs.auth.keys import Keys, KeyState, KeyUnreadable
from libs.auth.machines import (
    ApiKeys,
    ApiKeySettings,
    NewSecret,
    ServiceAccountExists,
    ServiceAccounts,
    ServiceAccountState,
    UnknownServiceAccount,
)
from libs.auth.mail import MailFlows, MailRelay, MailSettings, NoMailServer, TemplateBroken
from libs.auth.orm import OUTBOX, SCHEMA
from libs.auth.password_change import PasswordChange
from libs.auth.password_proof import PasswordProof
from libs.auth.passwords import Passwords
from libs.auth.recent_sign_in import RecentSignIn
from libs.auth.repository import Storage
from libs.auth.roles import Roles, RoleSettings
from libs.auth.rules import Rules, RuleSections
from libs.auth.sessions import Sessions
from libs.auth.settings import HousekeepingSettings, KeySettings, PasswordSettings, SessionSettings
from libs.auth.sweeper import Sweeper
from libs.auth.throttling import (
    Attempts,
    ProcessStore,
    Rates,
    RedisStore,
    SharedStore,
    Store,
    ThrottleSettings,
)
from libs.auth.tokens import AccessTokens

__all__ = [
    "OUTBOX",
    "SCHEMA",
    "SERVICE",
    "AccessTokens",
    "AccountImport",
    "Accounts",
    "Administration",
    "ApiKeySettings",
    "ApiKeys",
    "Attempts",
    "BreachSettings",
    "Breaches",
    "Chore",
    "Chores",
    "ClaimsSettings",
    "Closing",
    "Departures",
    "Endings",
    "FileUnreadable",
    "Format",
    "HashPool",
    "HousekeepingSettings",
    "ImportReport",
    "KeyRevocation",
    "KeySettings",
    "KeyState",
    "KeyUnreadable",
    "Keys",
    "MailFlows",
    "MailRelay",
    "MailSettings",
    "NewSecret",
    "NoMailServer",
    "PasswordChange",
    "PasswordProof",
    "PasswordSettings",
    "Passwords",
    "ProcessStore",
    "Rates",
    "RecentSignIn",
    "RedisStore",
    "RoleSettings",
    "Roles",
    "Rotation",
    "RuleSections",
    "Rules",
    "ServiceAccountExists",
    "ServiceAccountState",
    "ServiceAccounts",
    "SessionSettings",
    "Sessions",
    "SharedStore",
    "Storage",
    "Store",
    "Sweeper",
    "TemplateBroken",
    "ThrottleSettings",
    "UnknownAccount",
    "UnknownServiceAccount",
    "UnknownSigningKey",
    "control_listeners",
    "handlers",
]
