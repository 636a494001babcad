"""Programs: service accounts with client credentials, and API keys of people."""

from libs.auth.machines.api_keys import ApiKeys
from libs.auth.machines.service_accounts import (
    NewSecret,
    ServiceAccountExists,
    ServiceAccounts,
    ServiceAccountState,
    UnknownServiceAccount,
)
from libs.auth.machines.settings import ApiKeySettings

__all__ = [
    "ApiKeySettings",
    "ApiKeys",
    "NewSecret",
    "ServiceAccountExists",
    "ServiceAccountState",
    "ServiceAccounts",
    "UnknownServiceAccount",
]
