"""What to do about missing programs: install Debian's packages where we may, else say what the user has to do."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from libs.local.errors import LocalError, MissingProgramError
from libs.local.programs import (
    curl_program,
    erlang_program,
    postgres_program,
    rabbitmq_program,
    redis_program,
)
from libs.local.tool import run_tool

_SCRIPT = Path(__file__).with_name("install_packages.sh")
_INSTALL_SECONDS = 900.0
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
_NEEDED: dict[str, tuple[Callable[[], Path], ...]] = {
    "postgres": (lambda: postgres_program("postgres"), lambda: postgres_program("psql")),
    "rabbitmq": (lambda: rabbitmq_program("rabbitmq-server"), lambda: erlang_program("epmd")),
    "redis": (redis_program,),
    "mail": (),  # a process of ours
    "curl": (curl_program,),
}


def ensure_programs(names: Iterable[str], *, say: Callable[[str], None]) -> None:
    """Return when the programs of these (`postgres`, `rabbitmq`, `redis`, `curl`) are there.

    What is missing is installed on Debian and its relatives where we are root or may become root without a password;
    that takes a minute, so it is said before. LocalError, with the command to run, where we may not.
    """
    packages = list(dict.fromkeys(package for name in names for package in _missing(name)))
    if not packages:
        return
    become_root = _become_root()
    if become_root is None:
        raise LocalError(_advice(packages))
    say(f"Installing {', '.join(packages)} with apt-get, once; no system server is started or enabled.")
    run_tool([*become_root, "/bin/sh", str(_SCRIPT), *packages], env=_ENVIRONMENT, seconds=_INSTALL_SECONDS)


def _missing(name: str) -> list[str]:
    packages = []
    for find in _NEEDED[name]:
        try:
            find()
        except MissingProgramError as error:
            packages.append(error.package)
    return packages


def _become_root() -> list[str] | None:
    """The words before a command that let it install packages as root; None where that is not possible."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if not sudo:
        return None
    try:
        run_tool([sudo, "-n", "true"], env=_ENVIRONMENT, seconds=10)
    except LocalError:
        return None
    return [sudo, "-n"]


def _advice(packages: Iterable[str]) -> str:
    names = " ".join(packages)
    if shutil.which("apt-get"):
        return f"Programs are missing. Run: sudo apt-get install --no-install-recommends {names}"
    return (
        f"Programs are missing: those that Debian has in its packages {names}. Install them, or set DATABASE_URL, "
        "AMQP_URL and REDIS_URL to services that run elsewhere."
    )
