"""The real gateway and the real auth service on private services, as `gatehouse up` runs them."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from apps.cli.platform import Door, Platform
from apps.cli.settings import ROOT, Environment, bare_environment
from libs.local import LocalServices, free_port, run_tool

PASSWORD = "correct horse battery staple"  # ruff: ignore[hardcoded-password-string]  # of an account that lives a minute


@dataclass(frozen=True)
class Stack:
    """What runs: each gateway's port, and the processes' ids."""

    ports: tuple[int, ...]
    gateways: tuple[int, ...]
    auth_svc: int

    @property
    def port(self) -> int:
        """Of the first gateway."""
        return self.ports[0]

    @property
    def gateway(self) -> int:
        """The first one's process id."""
        return self.gateways[0]

    def sign_in(self, number: int) -> dict[str, Any]:
        """A new account's first tokens."""
        login = f"bench{number}@example.com"
        self.ask("POST", "/v1/auth/register", {"email": login, "password": PASSWORD})
        tokens: dict[str, Any] = json.loads(
            self.ask("POST", "/v1/auth/login", {"login": login, "password": PASSWORD})
        )
        return tokens

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> str:
        """The body of an answer; raises RuntimeError where it is an error."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        try:
            link.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return text


@contextmanager
def running(local: LocalServices, *, gateways: int = 1, **variables: str) -> Generator[Stack]:
    """Start services, migrations, auth_svc and gateways, with settings of the run's own; stop the latter when the block ends.

    Each gateway has a port of its own, so that each can be asked.
    """
    ports = tuple(free_port() for _ in range(gateways))
    environment = Environment({**bare_environment(), **variables})
    platforms = [
        Platform(environment, local, Door("127.0.0.1", port, explicit=False), number)
        for number, port in enumerate(ports, 1)
    ]
    local.start()
    migrate = [sys.executable, "-m", "apps.cli.cli_main", "migrate"]
    run_tool(migrate, env=environment.merged(local.env()), cwd=ROOT, seconds=60)
    auth_svc, doors = platforms[0].auth, [platform.gateways[-1] for platform in platforms]
    try:
        for process in (auth_svc, *doors):
            process.start()
        yield Stack(ports, gateways=tuple(one.pid for one in doors), auth_svc=auth_svc.pid)
    finally:
        for process in (*doors, auth_svc):
            process.stop()
