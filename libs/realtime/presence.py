"""Who is in which channel, in Redis: entries expire by themselves, so that a gateway that dies leaves no ghosts.

A channel is a hash (connection -> client) and a sorted set (connection -> when it expires), touched together by scripts
that take the time from Redis, whose clock is the same for all gateways.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import TypeAdapter, ValidationError
from typing_extensions import override

from libs.infra.redis import RedisAway, RedisConnections
from libs.messaging import Unavailable
from libs.realtime.ports import Presence, Present
from libs.realtime.protocol import ClientInfo

_RENEW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
"""
_READ = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
for _, client in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
    redis.call('HDEL', KEYS[1], client)
    redis.call('ZREM', KEYS[2], client)
end
return redis.call('HVALS', KEYS[1])
"""
_INFO = TypeAdapter(ClientInfo)


class RedisPresence(Presence):
    """Presence for all gateways that share a Redis; an entry that is not renewed lives ``seconds``.

    Entries are renewed with every ping, so ``seconds`` must be well above the ping interval.
    """

    def __init__(self, redis: RedisConnections, *, seconds: int = 60) -> None:
        self._redis = redis
        self._seconds = seconds
        self._renew = redis.client.register_script(_RENEW)
        self._read = redis.script(_READ)

    @override
    async def write(self, *, present: Sequence[Present] = (), gone: Sequence[Present] = ()) -> None:
        with _unavailable():
            async with self._redis.together() as pipeline:
                for entry in present:
                    info = _INFO.dump_json(entry.info).decode()
                    arguments: list[str | int] = [entry.info.client, info, self._seconds]
                    await self._renew(keys=list(_keys(entry.channel)), args=arguments, client=pipeline)
                for entry in gone:
                    clients, expiries = _keys(entry.channel)
                    pipeline.hdel(clients, entry.info.client)
                    pipeline.zrem(expiries, entry.info.client)

    @override
    async def clients(self, channel: str) -> Mapping[str, ClientInfo]:
        with _unavailable():
            found = await self._read(_keys(channel), [])
        infos = [info for info in map(_info, found) if info is not None]
        return {info.client: info for info in infos}


def _keys(channel: str) -> tuple[str, str]:
    """Both keys of a channel; the braces keep them together in a Redis Cluster."""
    return f"gatehouse:presence:{{{channel}}}:clients", f"gatehouse:presence:{{{channel}}}:expiries"


def _info(found: str) -> ClientInfo | None:
    try:
        return _INFO.validate_json(found)
    except ValidationError:  # another version of Gatehouse wrote it
        return None


@contextmanager
def _unavailable() -> Generator[None]:
    """Raise Unavailable while Redis is away."""
    try:
        yield
    except RedisAway as error:
        raise Unavailable("presence is not available now") from error
