"""The fixtures that every test may ask for."""

from hypothesis import HealthCheck, settings

from tests.fixtures.accounts import auth
from tests.fixtures.database import database, migrated_template
from tests.fixtures.installation import installation
from tests.fixtures.mail import mail
from tests.fixtures.platform import platform
from tests.fixtures.realtime import open_door
from tests.fixtures.services import amqp_url, broker, redis_url, services, vhost

__all__ = [
    "amqp_url",
    "auth",
    "broker",
    "database",
    "installation",
    "mail",
    "migrated_template",
    "open_door",
    "platform",
    "redis_url",
    "services",
    "vhost",
]

# A busy machine is no defect: no test asserts how long something takes, and neither does hypothesis.
settings.register_profile("gatehouse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gatehouse")
