"""A process of Gatehouse itself, gateway or auth_svc, as a service that `up` starts and watches."""

import http.client
import json
import sys
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from apps.cli.settings import ROOT
from libs.local import Command, Service, State

_ANSWER_SECONDS = 3.0


class AppProcess(Service):
    """`python -m <module>` with the variables it is given; ready when its operations port says so."""

    stop_seconds: ClassVar[float] = 45.0  # it finishes what it has, by bounds of its own

    def __init__(
        self, state: State, name: str, *, module: str, variables: Mapping[str, str], url: str, operations: str
    ) -> None:
        super().__init__(state)
        self.name = name
        self.operations = operations
        self._module = module
        self._variables = variables
        self._url = url

    @property
    @override
    def url(self) -> str:
        return self._url

    @override
    def command(self) -> Command:
        return Command(args=[sys.executable, "-m", self._module], env=self._variables, log=self.log, cwd=ROOT)

    @override
    def answers(self) -> bool:
        return missing_of(self.operations) == []


def missing_of(operations: str) -> list[str] | None:
    """What a process says it lacks, by its `/readyz`: nothing when it is ready, None when it does not answer."""
    address = urlsplit(operations)
    link = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER_SECONDS)
    try:
        link.request("GET", "/readyz")
        answer = link.getresponse()
        body = answer.read()
        return [] if answer.status == http.HTTPStatus.OK else list(json.loads(body)["missing"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        link.close()
