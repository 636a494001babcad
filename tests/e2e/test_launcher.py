"""`./gatehouse` itself: one environment, made once, made anew when it has to be. No package is fetched here."""

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

_LAUNCHER = Path(__file__).resolve().parents[2] / "gatehouse"
_COMMAND = "import sys; print(sys.prefix, *sys.argv[1:]); sys.exit(7 if 'fail' in sys.argv else 0)\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose command needs no package and only says what it was given."""
    folder = tmp_path / "repository"
    (folder / "requirements").mkdir(parents=True)
    (folder / "requirements" / "run.txt").touch()
    (folder / "requirements" / "dev.txt").touch()
    (folder / "apps" / "cli").mkdir(parents=True)
    (folder / "apps" / "cli" / "cli_main.py").write_text(_COMMAND)
    shutil.copy2(_LAUNCHER, folder)
    return folder


def _start(repository: Path, *args: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [repository / "gatehouse", *args],
        cwd=cwd or repository,
        env={"PATH": os.environ["PATH"], "HOME": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(repository: Path, *args: str, cwd: Path | None = None) -> tuple[int, str, str]:
    process = _start(repository, *args, cwd=cwd)
    said, complained = process.communicate(timeout=600)
    return process.returncode, said, complained


def test_the_environment_is_made_once_and_the_command_gets_everything_else(repository: Path) -> None:
    first = _run(repository, "up", "--detach")
    second = _run(repository, "fail", "a b")

    assert first[:2] == (0, f"{repository}/.venv up --detach\n")
    assert "requirements/run.txt" in first[2]
    assert second == (7, f"{repository}/.venv fail a b\n", "")


def test_a_changed_lock_is_installed(repository: Path) -> None:
    _run(repository, "up")
    (repository / "requirements" / "run.txt").write_text("# another\n")

    changed = _run(repository, "up")
    after = _run(repository, "up")

    assert "requirements/run.txt" in changed[2]
    assert not after[2]


def test_tests_need_the_longer_lock_which_serves_everything(repository: Path) -> None:
    _run(repository, "up")
    assert "requirements/dev.txt" in _run(repository, "test")[2]
    assert not _run(repository, "bench")[2]
    assert not _run(repository, "up")[2]


def test_an_environment_that_was_cut_half_way_is_made_anew(repository: Path) -> None:
    _run(repository, "up")
    (repository / ".venv" / "made-from").unlink()
    (repository / ".venv" / "half a package").touch()
    (repository / ".gatehouse" / "venv-unfinished").touch()

    again = _run(repository, "up")

    assert again[0] == 0
    assert not (repository / ".venv" / "half a package").exists()
    assert not _run(repository, "up")[2]


def test_two_at_once_make_it_once(repository: Path) -> None:
    both = [_start(repository, "up") for _ in range(2)]
    said = [process.communicate(timeout=600) for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert [out for out, _ in said] == [f"{repository}/.venv up\n"] * 2
    assert sum("Installing the locked requirements" in complained for _, complained in said) == 1


def test_it_works_through_a_link_and_from_anywhere(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gatehouse").symlink_to(repository / "gatehouse")

    status, said, _ = _run(tmp_path / "bin", "status", cwd=tmp_path)

    assert (status, said) == (0, f"{repository}/.venv status\n")


def _wheel(repository: Path) -> str:
    """Put a package without content beside the lock; the digest of its file."""
    wheel = repository / "nothing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "nothing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n"
        )
        archive.writestr(
            "nothing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("nothing-1.0.dist-info/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.mark.parametrize("right", [True, False], ids=["as locked", "another file"])
def test_a_package_is_installed_only_if_its_hash_is_the_locked_one(repository: Path, right: bool) -> None:
    digest = _wheel(repository)
    locked = digest if right else "0" * len(digest)
    lock = repository / "requirements" / "run.txt"
    lock.write_text(f"./nothing-1.0-py3-none-any.whl --hash=sha256:{locked}\n")

    status, said, _ = _run(repository, "up")

    assert (status == 0) is right
    assert bool(said) is right
    assert (repository / ".venv" / "made-from").exists() is right
