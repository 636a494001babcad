"""Where the private services keep what they must not forget: passwords, ports, data, logs; owned by one process at a time."""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import time
from pathlib import Path

from libs.local.child import Account
from libs.local.errors import AlreadyRunningError
from libs.local.ports import hold, hold_free_port, port_of
from libs.local.records import Records

_DATA_OF_ROOT = Path("/var/lib/gatehouse")
_OWNER_FILE = "folder"  # says in root's data which folder it belongs to
_PATIENCE_SECONDS = 2.0
"""Who only looks whether the state is owned holds the lock for a moment, which a busy machine makes long."""


class State:
    """The folders of one installation.

    Logs lie in `folder`. All that is durable (data, passwords, keys) lies together in `data`: inside `folder`, or,
    when we are root, in `/var/lib/gatehouse/<hash>`, because the services then run as users of their own, who
    cannot enter a folder under `/root`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.as_root = os.geteuid() == 0
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        self.data = _DATA_OF_ROOT / digest if self.as_root else self.folder / "data"
        self.records = Records(self.data / "run")
        self._lock: int | None = None
        self._ports: dict[str, socket.socket] = {}

    def acquire(self) -> None:
        """Make the folders and own them until `release` or the end of this process, however it ends.

        AlreadyRunningError when another process owns them.
        """
        self._make_folders()
        lock = os.open(self.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _locked(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(lock)
                raise AlreadyRunningError(f"another process runs the services of {self.folder}")
            time.sleep(0.05)
        self._lock = lock

    def _make_folders(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        if self.as_root:
            # The services' own users pass through here on their way to their folders; they cannot list it.
            _DATA_OF_ROOT.chmod(0o711)
            self.data.chmod(0o711)
            write_private(self.data / _OWNER_FILE, str(self.folder))

    def release(self) -> None:
        """Let another process own the state, and everybody the ports."""
        while self._ports:
            self._ports.popitem()[1].close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_owned(self) -> bool:
        """Whether any process owns the state now."""
        try:
            lock = os.open(self.data / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _locked(lock, fcntl.LOCK_SH)
        finally:
            os.close(lock)

    def wipe(self) -> None:
        """Remove everything; the state must not be in use."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        """The log file of one child."""
        return self.logs / f"{name}.log"

    def account(self, user: str) -> Account | None:
        """The system user a service runs as when we are root; None: as ourselves."""
        if not self.as_root:
            return None
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            return None
        return Account(entry.pw_uid, entry.pw_gid)

    def home(self, name: str, account: Account | None) -> Path:
        """A service's own folder, which nobody else can enter."""
        folder = self.data / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if account:
            os.chown(folder, account.uid, account.gid)
        return folder

    def secret(self, name: str) -> str:
        """A secret of 256 random bits, made once and kept in a file only we can read."""
        return self.keep(name, secrets.token_urlsafe(32))

    def keep(self, name: str, value: str) -> str:
        """What was kept under this name, or `value`, kept from now on."""
        return str(self._kept("secrets.json", name, value))

    def port(self, name: str) -> int:
        """A free port, held until `release`; the same as last time unless someone has taken it since."""
        if name not in self._ports:
            self._ports[name] = self._held(name)
        return port_of(self._ports[name])

    def _held(self, name: str) -> socket.socket:
        fresh = hold_free_port()
        kept = int(self._kept("ports.json", name, port_of(fresh)))
        if kept != port_of(fresh) and (holder := hold(kept)):
            fresh.close()
            return holder
        self._kept("ports.json", name, port_of(fresh), replace=True)
        return fresh

    def _kept(self, file: str, name: str, value: str | int, *, replace: bool = False) -> str | int:
        path = self.data / file
        kept: dict[str, str | int] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if replace or name not in kept:
            kept[name] = value
            write_private(path, json.dumps(kept, indent=2) + "\n")
        return kept[name]


def orphaned(below: Path) -> list[State]:
    """The states whose folder was below this one and is gone, while their data, which lies elsewhere, is not."""
    owners = [_owner(file) for file in _DATA_OF_ROOT.glob(f"*/{_OWNER_FILE}")]
    return [
        State(folder) for folder in owners if folder and folder.is_relative_to(below) and not folder.exists()
    ]


def _owner(file: Path) -> Path | None:
    try:
        return Path(file.read_text("utf-8"))
    except FileNotFoundError:
        return None  # wiped by its owner since it was listed


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Replace a file as a whole, readable by its owner alone from the first moment."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        if account:
            os.fchown(file.fileno(), account.uid, account.gid)
    fresh.replace(path)
