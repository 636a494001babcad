"""A child cannot outlive its parent, and an orphan is never mistaken for a stranger."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from libs.local.child import Command, spawn
from libs.local.records import Records

_PARENT = """
import os, sys, threading, time
from pathlib import Path
from libs.local.child import Command, spawn

def start():
    command = Command(args=["sleep", "600"], env=dict(os.environ), log=Path(sys.argv[1]), cwd=Path("/"))
    print(spawn(command).pid, flush=True)

thread = threading.Thread(target=start)  # one that ends long before its child should
thread.start()
thread.join()
time.sleep(600)
"""


def _command(folder: Path, *args: str) -> Command:
    return Command(args=args, env=dict(os.environ), log=folder / "log", cwd=folder)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_of_any_thread_lives_until_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        _wait_for(lambda: psutil.Process(pid).name() == "sleep")
        lived = _runs(pid)
        parent.kill()

    assert lived
    _wait_for(lambda: not _runs(pid))


def test_a_thread_that_ends_does_not_take_its_child_along(tmp_path: Path) -> None:
    started = []
    thread = threading.Thread(target=lambda: started.append(spawn(_command(tmp_path, "sleep", "600"))))
    thread.start()
    thread.join()
    child = started[0]
    _wait_for(lambda: psutil.Process(child.pid).name() == "sleep")

    assert not child.wait(0.2)

    child.kill()
    assert child.exit_code == -signal.SIGKILL


def test_what_a_child_writes_is_in_its_log_which_only_we_can_read(tmp_path: Path) -> None:
    child = spawn(_command(tmp_path, "sh", "-c", "echo out; echo err >&2"))

    assert child.wait(30)
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_ctrl_c_at_the_terminal_does_not_reach_a_child(tmp_path: Path) -> None:
    child = spawn(_command(tmp_path, "sleep", "600"))

    assert os.getsid(child.pid) == child.pid
    child.kill()


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "run")


def test_a_recorded_process_is_ended(tmp_path: Path, records: Records) -> None:
    child = spawn(_command(tmp_path, "sleep", "600"))
    _wait_for(lambda: psutil.Process(child.pid).name() == "sleep")
    records.note("sleeper", child.pid, settled=True)

    assert records.end_orphans() == ["sleeper"]
    assert child.wait(30)
    assert records.end_orphans() == []


@pytest.mark.parametrize(("field", "value"), [("started", 1.0), ("executable", "/usr/bin/somebody-else")])
def test_a_stranger_with_a_recorded_number_is_left_alone(
    tmp_path: Path, records: Records, field: str, value: float | str
) -> None:
    stranger = spawn(_command(tmp_path, "sleep", "600"))
    _wait_for(lambda: psutil.Process(stranger.pid).name() == "sleep")
    records.note("sleeper", stranger.pid, settled=True)
    file = tmp_path / "run" / "sleeper.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))

    ended = records.end_orphans()

    assert ended == []
    assert _runs(stranger.pid)
    stranger.kill()


def test_a_record_that_cannot_be_read_ends_nobody(tmp_path: Path, records: Records) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "broken.json").write_text("{")

    assert records.end_orphans() == []
