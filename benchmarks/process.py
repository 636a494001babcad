"""A measured process: on a core of its own, started with a job and given orders in lines of JSON.

Jobs and orders travel over standard input and output, so that no broker password is ever on a command line.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]
Order: TypeAlias = Callable[..., Awaitable[Fields]]
"""Takes what stands behind its name in the line, word by word."""

_ANSWER_TIMEOUT = (
    120.0  # s; the longest order publishes or consumes 100,000 messages through the slowest peer
)
_EXIT_TIMEOUT = 10.0  # s


def cores() -> tuple[int, int]:
    """The two cores that a round uses: one for the server's process, the other for the load (one, if there is one)."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads: its own clock (Linux, clock_getcpuclockid), exact to the ns."""
    return time.clock_gettime((~pid << 3) | 2)


class Child:
    """The parent's end: gives orders, one at a time."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def order(self, what: str) -> Fields:
        """What the child answers to an order; raises RuntimeError if it has ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what.encode() + b"\n")
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._name} ended with code {await self._process.wait()}")
        fields: Fields = json.loads(answer)
        return fields

    async def stop(self) -> None:
        """End its input, and wait until it has ended; raises RuntimeError where it did not end well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_EXIT_TIMEOUT):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise
        if code != 0:
            raise RuntimeError(f"{self._name} ended with code {code}")


@asynccontextmanager
async def child(module: str, *arguments: str, core: int, job: Fields) -> AsyncGenerator[Child]:
    """Run `python -m module arguments` on a core until the block ends; it is ready when the block begins."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    started = Child(" ".join((module, *arguments)), process)
    try:
        await started.order(json.dumps({**job, "core": core}))
        yield started
    except BaseException:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise
    await started.stop()


def read_job() -> Fields:
    """The child's end: what it was started for. From here on it stays on its core, and prints to standard error."""
    sys.stdout = sys.stderr
    job: Fields = json.loads(sys.stdin.readline())
    os.sched_setaffinity(0, {job.pop("core")})
    return job


async def obey(orders: Mapping[str, Order]) -> None:
    """Say that this process is ready, then carry out one order a line until standard input ends.

    What was made until then is taken out of the garbage collector's rounds, as Gatehouse's services do at their start.
    """
    gc.collect()
    gc.freeze()
    _answer({})
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *words = line.split()
        _answer(await orders[name](*words))


def _answer(fields: Fields) -> None:
    print(json.dumps(fields), file=sys.__stdout__, flush=True)
