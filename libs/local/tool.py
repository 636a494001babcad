"""A program run to its end, as a user of its own where one is given."""

import subprocess  # ruff: ignore[suspicious-subprocess-import] - running server programs is what this package is for
from collections.abc import Mapping, Sequence
from pathlib import Path

from libs.local.child import Account
from libs.local.errors import LocalError

_LINES_SHOWN = 15


def run_tool(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    account: Account | None = None,
    typed: str = "",
    seconds: float = 60.0,
) -> str:
    """What the program printed; LocalError with its own words when it fails or takes too long.

    `typed` is its standard input: secrets go there or into `env`, never into `args`, which everyone can see.
    """
    name = Path(args[0]).name
    try:
        done = subprocess.run(  # ruff: ignore[subprocess-without-shell-equals-true] - the programs are named by us
            args,
            input=typed,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=cwd,
            env=env,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:
        raise LocalError(f"{name} could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise LocalError(f"{name} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise LocalError(f"{name} failed: " + "\n".join(words[-_LINES_SHOWN:]))
    return done.stdout.strip()
