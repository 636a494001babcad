"""The fixtures that every test may ask for."""

from tests.fixtures.accounts import auth
from tests.fixtures.database import database, migrated_template
from tests.fixtures.realtime import open_door
from tests.fixtures.services import amqp_url, broker, redis_url, services, vhost

__all__ = ["amqp_url", "auth", "broker", "database", "migrated_template", "open_door", "redis_url", "services", "vhost"]
