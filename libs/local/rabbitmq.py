"""A private RabbitMQ with its own epmd: one operator, one user per service, vhosts made in milliseconds."""

import base64
import itertools
import json
import os
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from typing_extensions import override

from libs.local.child import Account, Child, Command, spawn
from libs.local.definitions import OPERATOR, definitions
from libs.local.errors import LocalError
from libs.local.handshake import accepts
from libs.local.programs import erlang_program, rabbitmq_program
from libs.local.service import Service
from libs.local.state import State, write_private
from libs.local.tool import run_tool

VHOST = "gatehouse"
_NODE = "gatehouse@localhost"
_EPMD_SECONDS = 60.0


class RabbitMQ(Service):
    """The server, its URLs per user and vhost, and its control command."""

    name = "rabbitmq"

    def __init__(self, state: State, users: Sequence[str]) -> None:
        super().__init__(state)
        self._passwords = {user: state.secret(f"rabbitmq_{user}") for user in (OPERATOR, *users)}
        self._port = state.port("rabbitmq")
        self._epmd: Child | None = None
        self._epmd_port = state.port("epmd")
        self._calls = itertools.count()

    @property
    def _account(self) -> Account | None:
        return self.state.account("rabbitmq")  # which does not exist before the package is installed

    @property
    def _home(self) -> Path:
        return self.state.home("rabbitmq", self._account)

    @property
    @override
    def url(self) -> str:
        return self.url_for(OPERATOR)

    def url_for(self, user: str, vhost: str = VHOST) -> str:
        """The broker as one of its users: the operator, or a service's own user (`gateway`, `auth_svc`)."""
        return f"amqp://{user}:{self._passwords[user]}@127.0.0.1:{self._port}/{quote(vhost, safe='')}"

    def add_vhost(self, vhost: str) -> None:
        """Make a vhost with every user's usual rights."""
        document = base64.b64encode(json.dumps(definitions(self._passwords, [vhost])).encode()).decode(
            "ascii"
        )
        self.evaluate(f'rabbit_definitions:import_raw(base64:decode(<<"{document}">>)).')

    def ctl(self, *args: str) -> str:
        """Run `rabbitmqctl` against this server; what it printed. LocalError with its words when it fails."""
        return self._tool([str(rabbitmq_program("rabbitmqctl")), "--quiet", *args])

    def evaluate(self, expression: str) -> None:
        """Run an Erlang expression in the node; LocalError when it fails.

        In 15 ms by erl_call, which Debian's packages have, else by `rabbitmqctl`, in 400 and on a busy machine in seconds.
        """
        quick = shutil.which("erl_call")
        if not quick:
            self.ctl("eval", expression)
            return
        # Under its default name a call is refused while the node still lets go of the call before it.
        caller = f"call{next(self._calls)}of{os.getpid()}"
        said = self._tool([quick, "-sname", _NODE, "-h", caller, "-e"], typed=expression + "\n")
        if not said.startswith("{ok"):
            raise LocalError(f"RabbitMQ refused: {said}")

    @override
    def spawn(self) -> None:
        self._start_epmd()
        super().spawn()

    @override
    def command(self) -> Command:
        self._write("enabled_plugins", "[].\n")
        self._write("definitions.json", json.dumps(definitions(self._passwords, [VHOST])))
        self._write("rabbitmq.conf", self._config())
        cookie = self._home / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, self.state.secret("erlang_cookie"), self._account)
        return Command(
            args=[str(rabbitmq_program("rabbitmq-server"))],
            env=self._env() | self._server_env(),
            log=self.log,
            cwd=self._home,
            account=self._account,
        )

    @override
    def answers(self) -> bool:
        return accepts(self._port, OPERATOR, self._passwords[OPERATOR], VHOST)

    @override
    def _gone(self) -> None:
        super()._gone()
        if self._epmd:
            self._epmd.kill()
            self.state.records.forget("epmd")
            self._epmd = None

    def _start_epmd(self) -> None:
        """Run Erlang's port mapper in the foreground as a child; left to itself, Erlang would leave a daemon behind."""
        if self._epmd and self._epmd.exit_code is None:
            return  # it has outlived a server that crashed
        address = ["-address", "127.0.0.1", "-port", str(self._epmd_port)]
        self._epmd = spawn(
            Command(
                args=[str(erlang_program("epmd")), *address],
                env=self._env(),
                log=self.log,
                cwd=self._home,
                account=self._account,
            )
        )
        self.state.records.note("epmd", self._epmd.pid)
        deadline = time.monotonic() + _EPMD_SECONDS
        while not _listens(self._epmd_port):
            if time.monotonic() > deadline or self._epmd.exit_code is not None:
                raise LocalError("epmd, Erlang's port mapper, did not start")
            time.sleep(0.01)
        self.state.records.note("epmd", self._epmd.pid, settled=True)

    def _config(self) -> str:
        return "\n".join(
            [
                f"listeners.tcp.1 = 127.0.0.1:{self._port}",
                f"load_definitions = {self._home / 'definitions.json'}",
                "log.file = false",
                "log.console = true",
                "log.console.use_colors = off",
                "",
            ]
        )

    def _env(self) -> dict[str, str]:
        """What every program of this node needs to find its own node, and no other."""
        return {
            "PATH": os.defpath,
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": _NODE,
            # The system's own settings of a RabbitMQ on this machine are not ours.
            "RABBITMQ_CONF_ENV_FILE": str(self._home / "no-rabbitmq-env.conf"),
        }

    def _server_env(self) -> dict[str, str]:
        home = self._home
        # The distribution port would listen on all addresses, and a busy one is fatal.
        erlang = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
        return {
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "no-advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(home / "feature_flags"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_DIST_PORT": str(self.state.port("rabbitmq_distribution")),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
            "ERL_CRASH_DUMP_SECONDS": "0",
            # Makes the start script become the server instead of staying as its parent, so that our child is the
            # server itself.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _write(self, name: str, text: str) -> None:
        write_private(self._home / name, text, self._account)

    def _tool(self, args: Sequence[str], typed: str = "") -> str:
        return run_tool(args, env=self._env(), cwd=self._home, account=self._account, typed=typed)


def _listens(port: int) -> bool:
    """Whether a server is there: seen by calling, since to try the port would be in its way."""
    with socket.socket() as caller:
        caller.settimeout(_EPMD_SECONDS)
        return caller.connect_ex(("127.0.0.1", port)) == 0
