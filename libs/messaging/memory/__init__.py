"""The bus in memory: the same promises without a broker, for the tests of whoever builds on Gatehouse."""

from libs.messaging.memory.broker import MemoryBroker
from libs.messaging.memory.bus import MemoryBus

__all__ = ["MemoryBroker", "MemoryBus"]
