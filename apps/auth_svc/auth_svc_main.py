"""auth_svc: the service that knows who clients are. It listens to RabbitMQ only."""

from __future__ import annotations

from apps.auth_svc.settings import AuthSettings
from libs.app import ServiceApp, create_service_app, run_service
from libs.containers.auth_container import AuthContainer


def create_app() -> ServiceApp[AuthSettings, AuthContainer]:
    """The whole configuration of the service."""
    return create_service_app(
        name="auth_svc",
        settings_class=AuthSettings,
        container_factory=AuthContainer.create,
        topology_declarator=AuthContainer.declare_topology,
        listener_factories=[
            AuthContainer.start_relay,
            AuthContainer.send_mail,
            AuthContainer.keep_house,
            AuthContainer.follow_keys,
            AuthContainer.serve,
        ],
    )


if __name__ == "__main__":
    run_service(create_app)
