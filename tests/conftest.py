"""The fixtures that every test may ask for."""

from tests.fixtures.database import database, migrated_template
from tests.fixtures.services import amqp_url, broker, redis_url, services, vhost

__all__ = ["amqp_url", "broker", "database", "migrated_template", "redis_url", "services", "vhost"]
