"""The server API: what back ends without AMQP ask over HTTP, with an API key, in Centrifugo's shapes."""

from libs.realtime.server_api.key import ApiKey, ApiKeyInvalid
from libs.realtime.server_api.methods import Methods
from libs.realtime.server_api.routes import PATHS, routes

__all__ = ["PATHS", "ApiKey", "ApiKeyInvalid", "Methods", "routes"]
