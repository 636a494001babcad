"""The private services of one installation or of one test session, started side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from libs.local.mail import MailSink
from libs.local.postgres import PostgreSQL
from libs.local.rabbitmq import RabbitMQ
from libs.local.redis import Redis
from libs.local.service import Service
from libs.local.state import State

SERVICE_USERS = ("gateway", "auth_svc")


class LocalServices:
    """PostgreSQL, RabbitMQ, Redis and a mail sink with passwords, ports and data of their own.

    All calls block. AlreadyRunningError when another process owns the same state.
    """

    def __init__(self, folder: Path, *, users: Sequence[str] = SERVICE_USERS) -> None:
        self.state = State(folder)
        self.state.acquire()
        self.orphans_ended = self.state.records.end_orphans()
        self.postgres = PostgreSQL(self.state)
        self.rabbitmq = RabbitMQ(self.state, users)
        self.redis = Redis(self.state)
        self.mail = MailSink(self.state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def all(self) -> tuple[Service, ...]:
        """The slowest to start first."""
        return (self.rabbitmq, self.postgres, self.redis, self.mail)

    def start(self, services: Iterable[Service] | None = None) -> None:
        """Start some or all services, and return when each of them is ready."""
        chosen = [service for service in self.all if services is None or service in set(services)]
        for service in chosen:
            service.spawn()
        for service in chosen:
            service.wait_ready()

    def stop(self) -> None:
        """Stop what runs, in order, and let the state go."""
        for service in reversed(self.all):
            service.stop()
        self.state.release()

    def env(self, user: str = "") -> dict[str, str]:
        """The URLs of the running services as a process of Gatehouse reads them.

        `user` is the process's own RabbitMQ user; without one it gets the operator's.
        """
        urls: dict[str, str] = {}
        if self.postgres.running:
            urls |= {
                "DATABASE_URL": self.postgres.url,
                "MIGRATION_DATABASE_URL": self.postgres.migration_url,
            }
        if self.rabbitmq.running:
            urls["AMQP_URL"] = self.rabbitmq.url_for(user) if user else self.rabbitmq.url
        if self.redis.running:
            urls["REDIS_URL"] = self.redis.url
        if self.mail.running:
            urls["AUTH_SMTP_URL"] = self.mail.url
        return urls
