"""What a run says of itself: medians and ratios, the machine, the versions, the date."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]


def medians(rounds: Sequence[Fields], names: Sequence[str]) -> Fields:
    """The median over the rounds, figure by figure."""
    return {name: rounded(statistics.median(one[name] for one in rounds)) for name in names}


def rounded(figure: float) -> float:
    """Four significant digits: more than any of these figures can be relied on."""
    return float(f"{figure:.4g}")


def at_least(of: float, to: float) -> float:
    """How many times `to` goes into `of`, to two places, never rounded up: for what should be large."""
    return math.floor(of / to * 100) / 100


def at_most(of: float, to: float) -> float:
    """How many times `to` goes into `of`, to two places, never rounded down: for what should be small."""
    return math.ceil(of / to * 100) / 100


def circumstances(*packages: str) -> Fields:
    """When, on what machine and with which versions a run was made."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "load_before": os.getloadavg()[0],
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {
            "python": platform.python_version(),
            "gatehouse": _revision(),
            **{package: version(package) for package in packages},
        },
    }


def show(result: Fields, *, as_json: bool) -> None:
    """Print a run's result: as one line of JSON, or indented for people."""
    print(json.dumps(result) if as_json else json.dumps(result, indent=2), flush=True)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str:
    """The commit measured, marked where the tree differs from it; empty outside of a repository."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return done.stdout.strip()
