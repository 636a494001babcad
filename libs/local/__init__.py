"""The private PostgreSQL, RabbitMQ and Redis that `gatehouse up`, the tests and the benchmarks run on."""

from libs.local.errors import AlreadyRunningError, LocalError, MissingProgramError, NotReadyError
from libs.local.postgres import PostgreSQL
from libs.local.rabbitmq import RabbitMQ
from libs.local.redis import Redis
from libs.local.service import Service
from libs.local.services import LocalServices
from libs.local.state import State

__all__ = [
    "AlreadyRunningError",
    "LocalError",
    "LocalServices",
    "MissingProgramError",
    "NotReadyError",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "Service",
    "State",
]
