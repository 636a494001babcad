"""The only statements on the tables of identity, and the transactions in which they run."""

from libs.auth.repository.accounts import Login, NewAccount
from libs.auth.repository.audit import Happened
from libs.auth.repository.housekeeping import HousekeepingRepository
from libs.auth.repository.sessions import Ended, Rotated, Rotation
from libs.auth.repository.storage import Storage, Stored

__all__ = [
    "Ended",
    "Happened",
    "HousekeepingRepository",
    "Login",
    "NewAccount",
    "Rotated",
    "Rotation",
    "Storage",
    "Stored",
]
