"""The only statements on the tables of identity, and the transactions in which they run."""

from libs.auth.repository.accounts import PASSWORD, Login, NewAccount, StoredAccount
from libs.auth.repository.administered import Wanted
from libs.auth.repository.audit import Happened
from libs.auth.repository.housekeeping import HousekeepingRepository
from libs.auth.repository.mail import NewRequest, SealedLetter
from libs.auth.repository.opening import Opening
from libs.auth.repository.owners import Owner
from libs.auth.repository.rotation import Rotated, Rotation
from libs.auth.repository.sessions import Ended
from libs.auth.repository.storage import Storage, Stored

__all__ = [
    "PASSWORD",
    "Ended",
    "Happened",
    "HousekeepingRepository",
    "Login",
    "NewAccount",
    "NewRequest",
    "Opening",
    "Owner",
    "Rotated",
    "Rotation",
    "SealedLetter",
    "Storage",
    "Stored",
    "StoredAccount",
    "Wanted",
]
