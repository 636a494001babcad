"""The gateway: the only door for clients, over HTTP and WebSocket."""

from __future__ import annotations

from apps.gateway.settings import GatewaySettings
from libs.app import ServiceApp, create_service_app, run_service
from libs.containers.gateway_container import GatewayContainer
from libs.realtime import RealtimeProtocol


def create_app() -> ServiceApp[GatewaySettings, GatewayContainer]:
    """The whole configuration of the service."""
    return create_service_app(
        name="gateway",
        settings_class=GatewaySettings,
        container_factory=GatewayContainer.create,
        topology_declarator=GatewayContainer.declare_topology,
        listener_factories=[GatewayContainer.follow_auth, GatewayContainer.relay_events],
        routers=[GatewayContainer.contracts, GatewayContainer.documents, GatewayContainer.websockets],
    )


if __name__ == "__main__":
    run_service(create_app, websockets=RealtimeProtocol)
