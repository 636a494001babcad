"""The rules of identity: accounts, sessions, tokens, keys and passwords."""

from libs.auth.accounts import Accounts
from libs.auth.administration import Administration, UnknownAccount
from libs.auth.breaches import Breaches, BreachSettings
from libs.auth.chores import Chore, Chores
from libs.auth.handlers import SERVICE, control_listeners, handlers
from libs.auth.hashing import HashPool
from libs.auth.key_changes import KeyRevocation, Rotation, UnknownSigningKey
from libs.auth.keys import Keys, KeyState, KeyUnreadable
from libs.auth.orm import OUTBOX, SCHEMA
from libs.auth.passwords import Passwords
from libs.auth.repository import Storage
from libs.auth.sessions import Sessions
from libs.auth.settings import HousekeepingSettings, KeySettings, PasswordSettings, SessionSettings
from libs.auth.sweeper import Sweeper
from libs.auth.tokens import AccessTokens

__all__ = [
    "OUTBOX",
    "SCHEMA",
    "SERVICE",
    "AccessTokens",
    "Accounts",
    "Administration",
    "BreachSettings",
    "Breaches",
    "Chore",
    "Chores",
    "HashPool",
    "HousekeepingSettings",
    "KeyRevocation",
    "KeySettings",
    "KeyState",
    "KeyUnreadable",
    "Keys",
    "PasswordSettings",
    "Passwords",
    "Rotation",
    "SessionSettings",
    "Sessions",
    "Storage",
    "Sweeper",
    "UnknownAccount",
    "UnknownSigningKey",
    "control_listeners",
    "handlers",
]
