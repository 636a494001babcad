"""Where the server programs are: in the PATH, or in the folders where distributions hide them."""

import re
import shutil
from pathlib import Path

from libs.local.errors import MissingProgramError


def postgres_program(name: str) -> Path:
    """A program of the newest PostgreSQL installed: `postgres`, `initdb` or `psql`."""
    # Debian keeps the server of each major version in a folder of its own, outside the PATH.
    hidden = _newest(Path("/usr/lib/postgresql"), f"*/bin/{name}")
    return hidden or _in_path(name, package="postgresql")


def redis_program() -> Path:
    """The Redis server."""
    return _in_path("redis-server", package="redis-server")


def rabbitmq_program(name: str) -> Path:
    """A script of RabbitMQ: `rabbitmq-server` or `rabbitmqctl`.

    Debian's namesakes in the PATH are wrappers that change the user and the folder; the real ones are in the package.
    """
    hidden = _newest(Path("/usr/lib/rabbitmq/lib"), f"rabbitmq_server-*/sbin/{name}")
    return hidden or _in_path(name, package="rabbitmq-server")


def erlang_program(name: str) -> Path:
    """A program of Erlang: `epmd` or `erl_call`."""
    return _in_path(name, package="rabbitmq-server")


def curl_program() -> Path:
    """curl, with which a test pastes what `up` prints."""
    return _in_path("curl", package="curl")


def _in_path(name: str, *, package: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise MissingProgramError(name, package)
    return Path(found)


def _newest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), key=_version, default=None)


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]
