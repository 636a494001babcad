"""The bus over RabbitMQ."""

from libs.messaging.rabbitmq.appending import Appender
from libs.messaging.rabbitmq.bus import RabbitBus
from libs.messaging.rabbitmq.declare import TopologyConflict

__all__ = ["Appender", "RabbitBus", "TopologyConflict"]
