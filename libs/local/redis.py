"""A private Redis: one password, nothing on disk, since it never holds the only copy of anything."""

import socket
from pathlib import Path

from typing_extensions import override

from libs.local.child import Command
from libs.local.programs import redis_program
from libs.local.service import Service
from libs.local.state import State, write_private

_ANSWER_SECONDS = 2.0


class Redis(Service):
    """The server, its URL and a flush."""

    name = "redis"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._port = state.port("redis")
        self._password = state.secret("redis")

    @property
    @override
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @override
    def command(self) -> Command:
        account = self.state.account("redis")
        home = self.state.home("redis", account)
        config = home / "redis.conf"
        write_private(config, self._config(home), account)
        return Command(
            args=[str(redis_program()), str(config)],
            env={"LANG": "C.UTF-8"},
            log=self.log,
            cwd=home,
            account=account,
        )

    @override
    def answers(self) -> bool:
        return self._ask("PING") == b"+PONG"

    def flush(self) -> None:
        """Forget every key of every database."""
        answer = self._ask("FLUSHALL")
        if answer != b"+OK":
            raise OSError(f"redis did not flush: {answer!r}")

    def _config(self, home: Path) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self._port}",
                f"requirepass {self._password}",
                f"dir {_quoted(home)}",
                "daemonize no",
                "appendonly no",
                'save ""',
                "",
            ]
        )

    def _ask(self, command: str) -> bytes:
        """The server's one-line answer to an argument-less command, or nothing when it cannot be reached."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=_ANSWER_SECONDS) as link:
                link.sendall(f"AUTH {self._password}\r\n{command}\r\n".encode())
                answers = link.makefile("rb")
                return answers.readline().strip() and answers.readline().strip()
        except OSError:
            return b""


def _quoted(path: Path) -> str:
    """A path as one word of the configuration, whatever blanks it has."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
