"""A session leaves nothing, and removes what a killed one has left."""

import os
import shutil
import tempfile
from pathlib import Path

from libs.local import State, temporary_services


def test_nothing_is_left_at_the_end() -> None:
    with temporary_services("selftest") as local:
        local.redis.start()
        pid, state = local.redis.pid, local.state
        assert state.data.exists()

    assert not Path(f"/proc/{pid}/cwd").exists()
    assert not state.data.exists()
    assert not state.folder.exists()


def test_what_a_killed_session_has_left_is_removed() -> None:
    left = State(Path(tempfile.mkdtemp(prefix="gatehouse-selftest-")))
    left.acquire()
    left.secret("redis")
    left.release()
    os.utime(left.folder, (0, 0))
    lost = State(Path(tempfile.mkdtemp()))
    lost.acquire()
    lost.secret("redis")
    lost.release()
    shutil.rmtree(lost.folder)

    with temporary_services("selftest"):
        found = [state.data.exists() for state in (left, lost)]

    assert found == [False, False]
    assert not left.folder.exists()


def test_a_session_that_has_just_made_its_folder_is_left_alone() -> None:
    begun = Path(tempfile.mkdtemp(prefix="gatehouse-selftest-"))

    with temporary_services("selftest"):
        assert begun.exists()

    begun.rmdir()


def test_a_session_that_still_runs_is_left_alone() -> None:
    with temporary_services("selftest") as running, temporary_services("selftest"):
        running.redis.start()
        with temporary_services("selftest"):
            assert running.redis.answers()
