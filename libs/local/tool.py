"""A program run to its end, as a user of its own where one is given."""

import subprocess  # ruff: ignore[suspicious-subprocess-import] - running server programs is what this package is for
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Timer

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


def run_aloud(
    args: Sequence[str], *, env: Mapping[str, str], cwd: Path, seconds: float, said: Callable[[str], None]
) -> None:
    """Run a program whose words are meant for the user: each line goes to `said` as soon as the next one comes.

    The last one is its result. Raises LocalError with it when the program fails, or takes longer than `seconds`.
    """
    last = ""
    with subprocess.Popen(  # ruff: ignore[subprocess-without-shell-equals-true] - the programs are named by us
        args, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        limit = Timer(seconds, program.kill)
        limit.start()
        try:
            for line in program.stdout or ():
                if last:
                    said(last)
                last = line.rstrip()
        except BaseException:
            program.kill()
            raise
        finally:
            limit.cancel()
    if program.returncode != 0:
        raise LocalError(last or f"{Path(args[-1]).name} ended with status {program.returncode}")
