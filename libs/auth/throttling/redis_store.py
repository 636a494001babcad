"""Counting in Redis, for all processes: each decision is one script, on Redis's own clock, which all share."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from libs.auth.throttling.store import LEASE, TURN, Allowance, Outcome, Store, Subject
from libs.infra.redis import RedisConnections

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# A subject is a hash: failures, blocked (until, ms), pending, leased (until, ms); it expires when it is forgotten.
_ADMIT = (
    _NOW
    + """
local lease, turn, wait, running = tonumber(ARGV[1]), tonumber(ARGV[2]), 0, {}
local interval, burst, due = tonumber(ARGV[3]), tonumber(ARGV[4]), 0
local allowance = interval > 0 and table.remove(KEYS)
if allowance then
    due = math.max(now, tonumber(redis.call('GET', allowance) or 0))
    wait = math.max(0, math.ceil(due - (burst - 1) * interval - now))
end
for i, key in ipairs(KEYS) do
    local free, limit = tonumber(ARGV[2 * i + 3]), tonumber(ARGV[2 * i + 4])
    local found = redis.call('HMGET', key, 'failures', 'blocked', 'pending', 'leased')
    local failures, blocked = tonumber(found[1] or 0), tonumber(found[2] or 0)
    local pending = tonumber(found[3] or 0)
    if tonumber(found[4] or 0) <= now then pending = 0 end
    running[i] = pending
    if failures >= limit then
        wait = math.max(wait, redis.call('PTTL', key))
    elseif blocked > now then
        wait = math.max(wait, blocked - now)
    elseif failures + pending >= limit or (failures >= free and pending > 0) then
        wait = math.max(wait, turn)
    end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'pending', running[i] + 1, 'leased', now + lease)
    if redis.call('PTTL', key) < lease then redis.call('PEXPIRE', key, lease) end
end
if allowance then
    redis.call('SET', allowance, due + interval, 'PX', math.ceil(due + interval - now))
end
return 0
"""
)
_SETTLE = (
    _NOW
    + """
local outcome, interval = ARGV[1], tonumber(ARGV[2])
local allowance = interval > 0 and table.remove(KEYS)
if allowance and outcome ~= 'failed' then
    local due = tonumber(redis.call('GET', allowance) or 0) - interval
    if due > now then
        redis.call('SET', allowance, due, 'PX', math.ceil(due - now))
    else
        redis.call('DEL', allowance)
    end
end
for i, key in ipairs(KEYS) do
    local found = redis.call('HMGET', key, 'failures', 'pending')
    local failures, pending = tonumber(found[1] or 0), math.max(0, tonumber(found[2] or 0) - 1)
    if outcome == 'failed' then
        local free, first = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
        local longest, memory = tonumber(ARGV[4 * i + 1]), tonumber(ARGV[4 * i + 2])
        failures = failures + 1
        local delay = 0
        if failures >= free then delay = math.min(longest, first * 2 ^ (failures - free)) end
        redis.call('HSET', key, 'failures', failures, 'pending', pending, 'blocked', math.floor(now + delay))
        redis.call('PEXPIRE', key, memory)
    elseif outcome == 'succeeded' or failures + pending == 0 then
        redis.call('DEL', key)
    else
        redis.call('HSET', key, 'pending', pending)
    end
end
return 0
"""
)
# The generic cell rate algorithm: the key holds when the turn after the last one taken would be due, evenly spread.
_SPEND = (
    _NOW
    + """
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local wait = due - (burst - 1) * interval - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], due + interval, 'PX', math.ceil(due + interval - now))
return 0
"""
)


class RedisStore(Store):
    """Counts for all processes that share a Redis; raises `RedisAway`."""

    def __init__(self, redis: RedisConnections) -> None:
        self._admit = redis.script(_ADMIT)
        self._settle = redis.script(_SETTLE)
        self._spend = redis.script(_SPEND)

    @override
    async def admit(self, subjects: Sequence[Subject], allowance: Allowance | None = None) -> float:
        bounds = [bound for one in subjects for bound in (one.ladder.free, one.ladder.limit)]
        burst = allowance.burst if allowance else 0
        values: list[str | int] = [_ms(LEASE), _ms(TURN), _interval(allowance), burst, *bounds]
        return int(await self._admit(_keys(subjects, allowance), values)) / 1000

    @override
    async def settle(
        self, subjects: Sequence[Subject], outcome: Outcome, allowance: Allowance | None = None
    ) -> None:
        ladders = [one.ladder for one in subjects]
        steps = [
            step
            for ladder in ladders
            for step in (ladder.free, _ms(ladder.first), _ms(ladder.longest), _ms(ladder.memory))
        ]
        await self._settle(_keys(subjects, allowance), [outcome.value, _interval(allowance), *steps])

    @override
    async def spend(self, key: str, *, interval: float, burst: int) -> float:
        return int(await self._spend([_named(key)], [repr(interval * 1000), burst])) / 1000


def _keys(subjects: Sequence[Subject], allowance: Allowance | None) -> list[str]:
    """The subjects' keys, and behind them the allowance's where there is one."""
    return [_named(one.key) for one in subjects] + ([_named(allowance.key)] if allowance else [])


def _named(key: str) -> str:
    """All in one slot, as a script on a Redis Cluster needs them."""
    return f"gatehouse:{{throttle}}:{key}"


def _interval(allowance: Allowance | None) -> str:
    """In ms, and 0 where there is no allowance."""
    return repr(allowance.interval * 1000) if allowance else "0"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
