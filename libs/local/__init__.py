"""The private PostgreSQL, RabbitMQ and Redis that `gatehouse up`, the tests and the benchmarks run on."""

from libs.local.child import Command
from libs.local.errors import AlreadyRunningError, LocalError, MissingProgramError, NotReadyError
from libs.local.logs import bound_logs
from libs.local.packages import can_install, install, install_command, missing_packages
from libs.local.ports import free_port, is_free
from libs.local.postgres import PostgreSQL
from libs.local.rabbitmq import RabbitMQ
from libs.local.redis import Redis
from libs.local.service import Service
from libs.local.services import LocalServices
from libs.local.state import State, write_private
from libs.local.tool import run_tool

__all__ = [
    "AlreadyRunningError",
    "Command",
    "LocalError",
    "LocalServices",
    "MissingProgramError",
    "NotReadyError",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "Service",
    "State",
    "bound_logs",
    "can_install",
    "free_port",
    "install",
    "install_command",
    "is_free",
    "missing_packages",
    "run_tool",
    "write_private",
]
