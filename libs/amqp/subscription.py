"""What a channel knows of a consumer, so that it can restore it after every loss."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from libs.amqp.delivery import Delivery

logger = logging.getLogger(__name__)

OnDelivery = Callable[[Delivery], None]
Arguments = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""Arguments, or what makes them anew each time they are sent: a stream's reader resumes at its own offset."""


@dataclass(slots=True, eq=False, kw_only=True)
class Subscription:
    """What a channel knows of one consumer."""

    tag: str
    queue: str
    callback: OnDelivery = field(repr=False)
    no_ack: bool = False
    exclusive: bool = False
    arguments: Arguments = field(default_factory=dict)
    prefetch: int | None = None
    on_restored: Callable[[], None] | None = field(default=None, repr=False)
    active: bool = False
    """The broker knows it, or will again once the channel is restored."""
    cancelled: bool = False

    def current_arguments(self) -> Mapping[str, Any]:
        """The arguments to consume with now."""
        return self.arguments() if callable(self.arguments) else self.arguments

    def restored(self) -> None:
        """Tell the program that the consumer runs again after an interruption."""
        if self.on_restored is None:
            return
        try:
            self.on_restored()
        except Exception:
            logger.exception("the on_restored callback of consumer %s failed", self.tag)
