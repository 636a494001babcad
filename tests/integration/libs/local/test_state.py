"""A state remembers, belongs to one process at a time, and leaves nothing when it is wiped."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.local import AlreadyRunningError, State, free_port, hold_free_port, is_free, port_of, reserve

_HOLDER = """
import sys
from pathlib import Path
from libs.local import State
state = State(Path(sys.argv[1]))
state.acquire()
print("mine", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "state")
    state.acquire()
    yield state
    state.release()
    state.wipe()


def test_a_secret_is_made_once(state: State) -> None:
    secret = state.secret("rabbitmq")

    assert len(secret) >= 43  # 256 bits
    assert state.secret("rabbitmq") == secret
    assert state.secret("redis") != secret
    assert State(state.folder).secret("rabbitmq") == secret


def test_secrets_lie_where_only_we_can_read_them(state: State) -> None:
    secret = state.secret("rabbitmq")

    holding = [file for file in state.data.rglob("*") if file.is_file() and secret in file.read_text()]
    assert [file.stat().st_mode & 0o777 for file in holding] == [0o600]


def test_a_port_stays_the_same_while_it_is_free(state: State) -> None:
    port = state.port("rabbitmq")
    assert state.port("rabbitmq") == port
    state.release()
    state.acquire()
    assert state.port("rabbitmq") == port
    state.release()

    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", port))
        somebody.listen()
        state.acquire()
        other = state.port("rabbitmq")

    assert other != port
    state.release()
    state.acquire()
    assert state.port("rabbitmq") == other


def test_a_port_is_held_for_its_server_from_the_first_moment(state: State) -> None:
    port = state.port("rabbitmq")

    with socket.socket() as anybody, pytest.raises(OSError, match="in use"):
        anybody.bind(("127.0.0.1", port))
    for _ in range(2):  # the server, and the server again after a restart
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            assert not is_free(port)
    state.release()
    assert is_free(port)


def test_nobody_is_given_a_port_that_is_held() -> None:
    with hold_free_port() as holder, pytest.raises(OSError, match="no free port"):
        hold_free_port(range(port_of(holder), port_of(holder) + 1))


def test_a_port_is_not_one_the_kernel_gives_to_clients(state: State) -> None:
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()

    assert state.port("rabbitmq") < int(first)


def test_it_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    state = State(tmp_path / "shared")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(state.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        assert state.is_owned()
        with pytest.raises(AlreadyRunningError):
            state.acquire()
        holder.kill()
    assert not state.is_owned()
    state.acquire()
    state.release()
    state.wipe()


def test_wiping_leaves_nothing(tmp_path: Path) -> None:
    state = State(tmp_path / "wiped")
    state.acquire()
    state.secret("rabbitmq")
    state.release()

    state.wipe()

    assert not state.data.exists()
    assert not state.folder.exists()


def test_a_port_is_held_by_one_at_a_time() -> None:
    holder = reserve(free_port())
    assert holder is not None
    with holder:
        assert reserve(port_of(holder)) is None


def test_a_held_port_is_taken_for_everyone_but_those_who_share_it() -> None:
    port = free_port()
    holder = reserve(port)
    assert holder is not None
    with holder, socket.socket() as child:
        assert not is_free(port)
        child.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        child.bind(("127.0.0.1", port))
        child.listen()
        with socket.create_connection(("127.0.0.1", port)):
            assert not is_free(port)
    assert is_free(port)
