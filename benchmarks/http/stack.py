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

_PASSWORD = "correct horse battery staple"  # ruff: ignore[hardcoded-password-string]  # of an account that lives a minute


@dataclass(frozen=True)
class Stack:
    """What runs: the gateway's port, and the processes' ids."""

    port: int
    gateway: int
    auth_svc: int

    def sign_in(self, number: int) -> dict[str, Any]:
        """A new account's first tokens."""
        login = f"bench{number}@example.com"
        self.ask("POST", "/v1/auth/register", {"email": login, "password": _PASSWORD})
        tokens: dict[str, Any] = json.loads(
            self.ask("POST", "/v1/auth/login", {"login": login, "password": _PASSWORD})
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
def running(local: LocalServices, **variables: str) -> Generator[Stack]:
    """Start services, migrations, auth_svc and gateway, with settings of the run's own; stop the two when the block ends."""
    port = free_port()
    environment = Environment({**bare_environment(), **variables})
    platform = Platform(environment, local, Door("127.0.0.1", port, explicit=False), 1)
    local.start()
    migrate = [sys.executable, "-m", "apps.cli.cli_main", "migrate"]
    run_tool(migrate, env=environment.merged(local.env()), cwd=ROOT, seconds=60)
    processes = [platform.auth, *platform.gateways]
    try:
        for process in processes:
            process.start()
        yield Stack(port, gateway=platform.gateways[0].pid, auth_svc=platform.auth.pid)
    finally:
        for process in reversed(processes):
            process.stop()
