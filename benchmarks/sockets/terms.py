"""What every contestant of the fan-out has in common: how many clients, which events, how fast."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from libs.messaging import Event

CHANNEL = "public:bench"
FLOOD = "public:flood"
"""Whoever hears this, too, gets more than fits into what may wait for a client."""
FLOOD_TEXT = 100_000  # characters of each of its events
GATEWAY_PATH = "/connection/websocket"


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    subscribers: int = 1_000
    paced: int = 50
    """Events of a paced round, each alone."""
    interval: float = 0.04
    """Seconds from one paced event to the next: long enough for the slowest contestant and the load to be done."""
    burst: int = 100
    """Events of a burst, as fast as they can be published."""
    paced_rounds: int = 3
    burst_rounds: int = 5
    slow: int = 10
    """Clients that are flooded, and read or do not read."""
    slow_rounds: int = 2
    flood_interval: float = 0.025
    """Seconds from one event of the flood to the next."""
    idle: int = 10_000
    settle_seconds: float = 13.0
    """After the last idle client has come: its first ping comes 12.5 to 25 s later, and then each 25 s."""
    idle_seconds: float = 50.0
    """Two intervals of pings."""


class Tick(BaseModel):
    """A number, and some text."""

    n: int
    text: str


TICK = Event("realtime.bench.tick", Tick)
FIRST = 1_000_000
"""The first number: all of them have the same length."""
