"""Log files that do not grow without bound."""

import os
import shutil
from pathlib import Path

_LARGEST = 8 * 1024 * 1024  # bytes; as much again in the one older file that is kept


def bound_logs(folder: Path) -> None:
    """Move what is in each log that has grown too large into `<name>.log.1`, and let it begin anew.

    The children keep their files open and append to them, so a file is emptied rather than replaced; what a child
    writes between the copy and the cut is lost.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > _LARGEST:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)
