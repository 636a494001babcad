"""Throttles: failed sign-ins slow down whoever fails, and an address registers and refreshes only so fast."""

from libs.auth.throttling.addresses import site_of
from libs.auth.throttling.attempts import Attempts
from libs.auth.throttling.devices import Device, Devices
from libs.auth.throttling.guesses import Guesses
from libs.auth.throttling.ladder import Ladder
from libs.auth.throttling.process_store import ProcessStore
from libs.auth.throttling.rates import Rate, Rates
from libs.auth.throttling.redis_store import RedisStore
from libs.auth.throttling.refusals import Refusals
from libs.auth.throttling.seldom import Seldom
from libs.auth.throttling.settings import ThrottleSettings
from libs.auth.throttling.shared_store import SharedStore
from libs.auth.throttling.store import Allowance, Outcome, Store, Subject

__all__ = [
    "Allowance",
    "Attempts",
    "Device",
    "Devices",
    "Guesses",
    "Ladder",
    "Outcome",
    "ProcessStore",
    "Rate",
    "Rates",
    "RedisStore",
    "Refusals",
    "Seldom",
    "SharedStore",
    "Store",
    "Subject",
    "ThrottleSettings",
    "site_of",
]
