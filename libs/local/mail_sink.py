"""The process behind `MailSink`: takes every message over SMTP (aiosmtpd) and keeps it in a mailbox; none goes further."""

import asyncio
import hmac
import json
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from libs.local.mailbox import LARGEST, Mailbox

_IDLE_SECONDS = 60.0
_BACKLOG = 16


class Keeper:
    """What the server does with those who log in and with their messages."""

    def __init__(self, mailbox: Mailbox, *, user: str, password: str) -> None:
        self._mailbox = mailbox
        self._credentials = f"{user}\0{password}".encode()
        self._writing = asyncio.Lock()

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        """Whether these are our user and our password."""
        known = isinstance(given, LoginPassword) and hmac.compare_digest(
            self._credentials, b"\0".join((given.login, given.password))
        )
        return AuthResult(success=known, handled=False)

    async def handle_DATA(  # ruff: ignore[invalid-function-name]  # the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the message; the answer to the sender."""
        content = envelope.content
        if not isinstance(content, bytes):
            return "554 no content"
        async with self._writing:
            number = await asyncio.to_thread(self._mailbox.add, content)
        return f"250 kept as {number}"


def server(keeper: Keeper) -> SMTP:
    """The protocol of one connection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a password without TLS is what we want on the loopback interface
        return SMTP(
            keeper,
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            hostname="gatehouse",
            timeout=_IDLE_SECONDS,
            auth_required=True,
            auth_require_tls=False,
            authenticator=keeper.authenticate,
            loop=asyncio.get_running_loop(),
        )


async def serve(config: Mapping[str, Any]) -> None:
    """Take mail until SIGTERM; ``config`` has `port`, `user`, `password` and `folder`."""
    keeper = Keeper(Mailbox(Path(config["folder"])), user=config["user"], password=config["password"])
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    listening = await loop.create_server(
        lambda: server(keeper), "127.0.0.1", config["port"], backlog=_BACKLOG
    )
    await ended.wait()
    listening.close()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
