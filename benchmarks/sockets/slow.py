"""Clients that stop reading: what the others notice of them, and that they are sent away."""

from __future__ import annotations

import asyncio

from benchmarks.command import progress
from benchmarks.http.stack import Stack
from benchmarks.process import Child
from benchmarks.report import Fields
from benchmarks.sockets.contestants import Contestant, publisher, subscribers
from benchmarks.sockets.rounds import summary
from benchmarks.sockets.terms import CHANNEL, FLOOD, FLOOD_TEXT, Size

_SLOW = 3008  # the close code of the protocol
_LAST_BYTES = 4.0  # s; the gateway waits 5 s for a client to take its close frame


async def beside_slow_clients(
    gateway: Contestant, stack: Stack, broker_url: str, tokens: list[str], size: Size
) -> Fields:
    """Paced events beside a few clients that are flooded besides: in turns they read, and they have stopped reading.

    A flooded client that reads gets all of it; one that does not must be closed with 3008 while the round goes on.
    """
    rounds: dict[str, list[Fields]] = {"reading": [], "stalled": []}
    codes: dict[str, list[int]] = {"reading": [], "stalled": []}
    async with (
        publisher(broker_url, channel=FLOOD, text=FLOOD_TEXT) as flood,
        subscribers(stack.port, tokens, (CHANNEL, FLOOD)) as few,
    ):
        for number in range(size.slow_rounds):
            for how in ("reading", "stalled"):
                await few.order(f"connect {size.slow}")
                found, ended = await _round(gateway, flood, few, size, stalled=how == "stalled")
                rounds[how].append(found)
                codes[how] += ended
                progress(f"slow {number + 1}/{size.slow_rounds} {how}: {ended.count(_SLOW)} sent away")
    return {
        how: {**summary(each), "clients": len(codes[how]), "closed_with_3008": codes[how].count(_SLOW)}
        for how, each in rounds.items()
    }


async def _round(
    gateway: Contestant, flood: Child, few: Child, size: Size, *, stalled: bool
) -> tuple[Fields, list[int]]:
    """The round as the others saw it, and how each of the few was closed."""
    if stalled:
        await few.order("stall")
    events = round(size.paced * size.interval / size.flood_interval)
    found, _ = await asyncio.gather(
        gateway.round("paced", size.paced, size.interval),
        flood.order(f"paced 0 {events} {size.flood_interval}"),
    )
    codes = (await few.order(f"ended {_LAST_BYTES if stalled else 0}"))["codes"]
    return found, codes
