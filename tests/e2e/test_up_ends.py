"""How a run ends, and what is left of it: nothing."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fixtures.installation import Installation


# ruff: ignore[pytest-fixture-autouse]  no test here may find what another has left running
@pytest.fixture(autouse=True)
def _nothing_runs(installation: Installation) -> None:
    """Every test here starts from a stopped platform."""
    installation.run("down")
    installation.wait_until_gone()


@contextlib.contextmanager
def _ready(installation: Installation) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A foreground `up` that has become ready, and what it has printed until then."""
    with installation.started("up") as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Logs: "):
                break
        assert "Logs: " in printed, printed
        yield process, printed


def test_ctrl_c_stops_everything_in_order_with_status_0(installation: Installation) -> None:
    with _ready(installation) as (process, _):
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=180)

    assert process.returncode == 0
    stopped = [line.split()[0] for line in said.splitlines() if line.endswith("stopped")]
    assert stopped[:2] == ["gateway", "auth_svc"]
    assert sorted(stopped[2:]) == ["mail", "postgres", "rabbitmq", "redis"]
    installation.wait_until_gone()


def test_a_second_signal_ends_everything_at_once(installation: Installation) -> None:
    with _ready(installation) as (process, _):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode != 0
    installation.wait_until_gone()


def test_a_killed_up_takes_everything_along_and_starts_again(installation: Installation) -> None:
    with _ready(installation) as (process, _):
        os.kill(process.pid, signal.SIGKILL)
    installation.wait_until_gone()
    assert installation.run("status").returncode == 1

    again = installation.run("up", "--detach")

    assert again.returncode == 0, again.stdout + again.stderr
    assert set(installation.status()) == {"gateway", "auth_svc", "mail", "postgres", "rabbitmq", "redis"}
    assert installation.run("down").returncode == 0
    installation.wait_until_gone()


def _take(owner: socket.socket, port: int) -> bool:
    try:
        owner.bind(("127.0.0.1", port))
        owner.listen()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _taken(port: int) -> Generator[None]:
    """Somebody listens there all the time: we, or another program of this machine, and we as soon as that one goes."""
    with socket.socket() as owner, ThreadPoolExecutor(1) as pool:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        over = threading.Event()
        if not _take(owner, port):
            pool.submit(lambda: any(over.wait(0.005) or _take(owner, port) for _ in itertools.count()))
        try:
            yield
        finally:
            over.set()


def test_a_taken_default_port_is_left_to_its_owner(installation: Installation) -> None:
    with _taken(8000), _ready(installation) as (process, printed):
        url = installation.status()["gateway"]["url"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=180)

    assert printed.startswith("Port 8000 is taken")
    assert not url.endswith(":8000")


def test_a_taken_port_that_was_asked_for_is_an_error(installation: Installation) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        port = owner.getsockname()[1]
        refused = installation.run("up", GATEWAY_PORT=str(port))

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"GATEWAY_PORT: port {port} is taken")
    installation.wait_until_gone()


def test_wrong_settings_are_named_one_per_line_before_anything_starts(installation: Installation) -> None:
    (installation.folder / ".env").write_text("GATEWAY_PORT=many\nLOG_LEVEL=loud\n")
    try:
        refused = installation.run("up", AUTH_HASH_QUEUE="0")
    finally:
        (installation.folder / ".env").unlink()

    assert refused.returncode == 1
    assert sorted(line.partition(":")[0] for line in refused.stderr.splitlines()) == [
        "AUTH_HASH_QUEUE",
        "GATEWAY_PORT",
        "LOG_LEVEL",
    ]
    assert not refused.stdout
    installation.wait_until_gone()


@pytest.mark.parametrize(
    "arguments",
    [
        ("upp",),
        ("up", "--no-such-option"),
        ("up", "--gateway-workers", "0"),
        ("logs", "nonsense"),
        ("bench", "nonsense"),
    ],
)
def test_a_wrong_command_line_is_named(installation: Installation, arguments: tuple[str, ...]) -> None:
    refused = installation.run(*arguments)

    assert refused.returncode == 2
    assert arguments[-1] in refused.stderr or arguments[-2] in refused.stderr
    assert "Traceback" not in refused.stderr


def test_down_with_wipe_leaves_no_data(installation: Installation) -> None:
    assert installation.run("up", "--detach").returncode == 0
    kept = installation.state.data

    wiped = installation.run("down", "--wipe")

    assert wiped.returncode == 0
    assert not kept.exists()
    installation.wait_until_gone()
