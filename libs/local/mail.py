"""A private mail server that delivers nothing: what is sent to it can be read with `gatehouse mail`."""

import json
import smtplib
import sys
from pathlib import Path

from typing_extensions import override

from libs.local.child import Command
from libs.local.mailbox import Mailbox
from libs.local.service import Service
from libs.local.state import State, write_private

_USER = "gatehouse"
_ANSWER_SECONDS = 2.0
_ROOT = Path(__file__).resolve().parents[2]


class MailSink(Service):
    """The server, its URL and what came."""

    name = "mail"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._port = state.port("mail")
        self._password = state.secret("mail")

    @property
    @override
    def url(self) -> str:
        return f"smtp+plain://{_USER}:{self._password}@127.0.0.1:{self._port}"

    @property
    def mailbox(self) -> Mailbox:
        """The messages."""
        return mailbox_of(self.state)

    @override
    def command(self) -> Command:
        home = self.state.home("mail", None)
        config = home / "sink.json"
        told = {
            "port": self._port,
            "user": _USER,
            "password": self._password,
            "folder": str(_messages(self.state)),
        }
        write_private(config, json.dumps(told))
        return Command(
            args=[sys.executable, "-m", "libs.local.mail_sink", str(config)],
            env={"LANG": "C.UTF-8"},
            log=self.log,
            cwd=_ROOT,
        )

    @override
    def answers(self) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self._port, timeout=_ANSWER_SECONDS) as link:
                return link.login(_USER, self._password)[0] == 235  # RFC 4954, section 6
        except (OSError, smtplib.SMTPException):
            return False


def mailbox_of(state: State) -> Mailbox:
    """What came to the sink of an installation, whether it runs or not."""
    return Mailbox(_messages(state))


def _messages(state: State) -> Path:
    return state.data / "mail" / "messages"
