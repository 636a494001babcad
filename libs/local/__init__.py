"""The private PostgreSQL, RabbitMQ, Redis and mail sink that `gatehouse up`, the tests and the benchmarks run on."""

from libs.local.child import Command
from libs.local.errors import AlreadyRunningError, LocalError, MissingProgramError, NotReadyError
from libs.local.logs import bound_logs
from libs.local.mail import MailSink, mailbox_of
from libs.local.mailbox import Mail, Mailbox
from libs.local.packages import ensure_programs
from libs.local.ports import free_port, hold_free_port, is_free, port_of, reserve
from libs.local.postgres import PostgreSQL
from libs.local.rabbitmq import RabbitMQ
from libs.local.redis import Redis
from libs.local.service import Service
from libs.local.services import LocalServices
from libs.local.state import State, write_private
from libs.local.temporary import temporary_services
from libs.local.tool import run_aloud, run_tool

__all__ = [
    "AlreadyRunningError",
    "Command",
    "LocalError",
    "LocalServices",
    "Mail",
    "MailSink",
    "Mailbox",
    "MissingProgramError",
    "NotReadyError",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "Service",
    "State",
    "bound_logs",
    "ensure_programs",
    "free_port",
    "hold_free_port",
    "is_free",
    "mailbox_of",
    "port_of",
    "reserve",
    "run_aloud",
    "run_tool",
    "temporary_services",
    "write_private",
]
