"""What to do about missing programs: install Debian's packages where we may, else say the one command that does."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from libs.local.errors import LocalError, MissingProgramError
from libs.local.programs import erlang_program, postgres_program, rabbitmq_program, redis_program
from libs.local.tool import run_tool

_SCRIPT = Path(__file__).with_name("install_packages.sh")
_INSTALL_SECONDS = 900.0
_NEEDED: dict[str, tuple[Callable[[], Path], ...]] = {
    "postgres": (lambda: postgres_program("postgres"), lambda: postgres_program("psql")),
    "rabbitmq": (lambda: rabbitmq_program("rabbitmq-server"), lambda: erlang_program("epmd")),
    "redis": (redis_program,),
}


def missing_packages(services: Iterable[str]) -> list[str]:
    """The Debian packages that these services (`postgres`, `rabbitmq`, `redis`) need and the machine has not."""
    return list(dict.fromkeys(package for service in services for package in _missing(service)))


def can_install() -> bool:
    """Whether this is Debian or a relative, and we are root or may become root without a password."""
    return bool(shutil.which("apt-get")) and _as_root() is not None


def install(packages: Iterable[str]) -> str:
    """Install Debian packages, leaving no system instance behind; what apt printed. LocalError when it fails.

    Blocks for a minute or so.
    """
    words = [*(_as_root() or ()), "/bin/sh", str(_SCRIPT), *packages]
    return run_tool(words, env={"PATH": _SYSTEM_PATH, "LANG": "C.UTF-8"}, seconds=_INSTALL_SECONDS)


def install_command(packages: Iterable[str]) -> str:
    """The one command a user has to run where we may not install."""
    names = " ".join(packages)
    if shutil.which("apt-get"):
        return f"sudo apt-get install --no-install-recommends {names}"
    return f"install the programs that Debian has in the packages {names}"


_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _missing(service: str) -> list[str]:
    missing = []
    for find in _NEEDED[service]:
        try:
            find()
        except MissingProgramError as error:
            missing.append(error.package)
    return missing


def _as_root() -> list[str] | None:
    """The words before a command that make it root's; None when we cannot become root."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if not sudo:
        return None
    try:
        run_tool([sudo, "-n", "true"], env={"PATH": _SYSTEM_PATH}, seconds=10)
    except LocalError:
        return None
    return [sudo, "-n"]
