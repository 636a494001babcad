"""Whether parallel refreshes of one session ever sign anybody out, over two processes of the auth service."""

from __future__ import annotations

import statistics
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import psutil
import uvloop
from pydantic import SecretStr
from sqlalchemy import text

from apps.cli.app_process import AppProcess
from apps.cli.platform import Door, Platform
from apps.cli.settings import Environment, bare_environment
from benchmarks.command import progress, run_alone
from benchmarks.families.live_rows import LiveRows
from benchmarks.families.scenes import Played, Scenes
from benchmarks.http.stack import PASSWORD, running
from benchmarks.report import Fields, circumstances, rounded
from libs.domain.auth import LoginRequest
from libs.infra.database import Database, DatabaseSettings
from libs.local import LocalServices, free_port
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings

CALLERS, ROUNDS = 50, 1000
SESSIONS = 100  # of each scene with a lost answer or a thief
_AFTER_THE_GRACE = 31.0  # s; AUTH_REFRESH_GRACE_SECONDS is 30
_TABS = 5  # that come back at once after a lost answer
_ENDED_BY_REUSE = 3 * SESSIONS  # of every scene but the lost answers within the grace
_REUSED = text(
    "SELECT (SELECT count(*) FROM auth.sessions WHERE ended_at IS NOT NULL),"
    " (SELECT count(*) FROM auth.audit_log WHERE details ->> 'reason' = 'refresh_reused')"
)


def run(local: LocalServices) -> Fields:
    """Everything that was played, and what went wrong in it."""
    with running(local) as stack:
        stack.sign_in(0)
        second = _second_auth_svc(local)
        second.start()
        try:
            return uvloop.run(_measure(local, (stack.auth_svc, second.pid)))
        finally:
            second.stop()


def _second_auth_svc(local: LocalServices) -> AppProcess:
    """Another process like the one that runs, with the same keys."""
    environment = Environment({**bare_environment(), "AUTH_OPERATIONS_PORT": str(free_port())})
    second = Platform(environment, local, Door("127.0.0.1", free_port(), explicit=False), 0).auth
    second.name = "auth_svc-2"
    return second


async def _measure(local: LocalServices, processes: Sequence[int]) -> Fields:
    result = circumstances("sqlalchemy", "asyncpg", "pydantic", "uvloop")
    async with _connected(local) as (bus, database), LiveRows.watched(database) as rows:
        scenes = Scenes(bus, LoginRequest(login="bench0@example.com", password=PASSWORD))
        before = [_cpu(one) for one in processes]
        parallel = await scenes.in_parallel(ROUNDS, CALLERS)
        spent = [rounded(_cpu(one) - cpu) for one, cpu in zip(processes, before, strict=True)]
        logouts = await _ended(database)
        progress(
            f"{parallel.rounds} rounds of {CALLERS} callers: {parallel.faults} faults, {logouts} logouts"
        )
        others = await _others(scenes)
        reused = await _ended(database)
    missing = abs(reused - _ENDED_BY_REUSE)
    return {
        "rounds": parallel.rounds,
        "callers": CALLERS,
        "refreshes": parallel.refreshes,
        "logouts": logouts,
        **_times(parallel),
        "auth_svc_cpu_s": spent,
        "live_row_looks": rows.looks,
        "live_row_faults": rows.wrong,
        "scenes": {name: {"sessions": SESSIONS, "faults": one.faults} for name, one in others.items()},
        "sessions_ended_by_reuse": reused,
        "faults": parallel.faults
        + logouts
        + rows.wrong
        + missing
        + sum(one.faults for one in others.values())
        + sum(not cpu for cpu in spent),
        **result,
    }


async def _others(scenes: Scenes) -> dict[str, Played]:
    """Every scene in which an answer is lost or a token stolen."""
    played = {
        "lost_answers_within_grace": await scenes.lost_answers(SESSIONS, _TABS, wait=0),
        "lost_answers_after_grace": await scenes.lost_answers(SESSIONS, _TABS, wait=_AFTER_THE_GRACE),
        "thief_after_the_owner": await scenes.thief_after_the_owner(SESSIONS),
        "thief_before_the_owner": await scenes.thief_before_the_owner(SESSIONS),
    }
    progress(", ".join(f"{name}: {one.faults} faults" for name, one in played.items()))
    return played


@asynccontextmanager
async def _connected(local: LocalServices) -> AsyncGenerator[tuple[RabbitBus, Database]]:
    """A bus as the gateway has it, and a look into the database."""
    broker = BrokerSettings(url=SecretStr(local.rabbitmq.url_for("gateway")))
    bus = await RabbitBus.open(broker, name="bench")
    try:
        settings = DatabaseSettings(url=SecretStr(local.postgres.url))
        database = await Database.open(settings, application="bench")
        try:
            yield bus, database
        finally:
            await database.close()
    finally:
        await bus.close()


async def _ended(database: Database) -> int:
    """Sessions that ended because of a token that was used again, each of them audited."""
    async with database.statements() as session:
        ended, audited = (await session.execute(_REUSED)).one()
    return int(ended) if ended == audited else -1


def _times(played: Played) -> Fields:
    ordered = sorted(played.seconds)
    return {
        "refreshes_per_s": rounded(CALLERS * len(ordered) / sum(ordered)),
        "p50_ms": rounded(statistics.median(ordered) * 1000),
        "p99_ms": rounded(ordered[len(ordered) * 99 // 100] * 1000),
    }


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    sys.exit(run_alone(__doc__ or "", run))
