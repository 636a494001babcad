"""Exchanges, queues and bindings, and the record of those a connection has declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from typing_extensions import override

from libs.amqp.table import encode_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An exchange to declare."""

    name: str
    type: str = "direct"
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue to declare. With an empty name the broker makes one up; such a queue should be exclusive."""

    name: str = ""
    durable: bool = True
    exclusive: bool = False
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A route from an exchange to a queue, or to another exchange."""

    source: str
    destination: str
    routing_key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    to_exchange: bool = False

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it this binding: all of it, arguments too."""
        arguments = encode_table(dict(sorted(self.arguments.items())))
        return self.source, self.destination, self.routing_key, arguments, self.to_exchange

    def moved(self, renamed: Mapping[str, str]) -> "Binding":
        """The same route, to the new name of its queue."""
        new = None if self.to_exchange else renamed.get(self.destination)
        return self if new is None else replace(self, destination=new)


@dataclass(slots=True, eq=False)
class DeclaredQueue:
    """A queue that exists. The counts are those of the moment when it was declared."""

    queue: Queue
    name: str
    """The broker's name for it. A queue with a made-up name gets a new one with every connection."""
    message_count: int
    consumer_count: int
    on_renamed: Callable[[str], None] | None = field(default=None, repr=False)

    @override
    def __str__(self) -> str:
        return self.name


class Topology:
    """What a connection has declared, to be declared again on the next one."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, DeclaredQueue] = {}
        self._bindings: dict[tuple[object, ...], Binding] = {}

    @property
    def bindings(self) -> list[Binding]:
        """All bindings, in the order they were made."""
        return list(self._bindings.values())

    def bind(self, binding: Binding) -> None:
        """Remember a binding."""
        self._bindings[binding.identity] = binding

    def unbind(self, binding: Binding) -> None:
        """Forget a binding."""
        self._bindings.pop(binding.identity, None)

    def forget_exchange(self, name: str) -> None:
        """Forget an exchange and the bindings from and to it."""
        self.exchanges.pop(name, None)
        self._keep_bindings(
            lambda each: each.source != name and not (each.to_exchange and each.destination == name)
        )

    def forget_queue(self, name: str) -> None:
        """Forget a queue and the bindings to it."""
        self.queues.pop(name, None)
        self._keep_bindings(lambda each: each.to_exchange or each.destination != name)

    def rename_queue(self, old: str, new: str) -> DeclaredQueue | None:
        """A queue with a made-up name has come back under another; None where it was forgotten meanwhile."""
        queue = self.queues.get(old)
        if queue is None:
            return None
        queue.name = new
        self.queues = {each.name: each for each in self.queues.values()}
        moved = [binding.moved({old: new}) for binding in self.bindings]
        self._bindings = {binding.identity: binding for binding in moved}
        return queue

    def bindings_to(self, queue: str) -> list[Binding]:
        """The bindings to a queue."""
        return [each for each in self.bindings if not each.to_exchange and each.destination == queue]

    def _keep_bindings(self, wanted: Callable[[Binding], bool]) -> None:
        self._bindings = {key: each for key, each in self._bindings.items() if wanted(each)}
