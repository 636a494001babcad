"""How a service starts, answers and stops."""

from libs.app.bootstrap import create_service_app, service_lifespan
from libs.app.edge import ABORT, HANDSHAKE, EdgeSettings, Exchange, exchange_of
from libs.app.errors import DependencyAway, SettingsInvalid, StartFailed
from libs.app.health import Health, Probe
from libs.app.listening import HttpSettings, OperationsSettings
from libs.app.logging import LogSettings, configure_logging
from libs.app.problem import (
    PROBLEM_MEDIA_TYPE,
    BodyTooLarge,
    MethodNotAllowed,
    NotFound,
    ProblemResponse,
    RequestTimeout,
    UnsupportedMediaType,
)
from libs.app.server import run_service
from libs.app.service import (
    Application,
    ContainerFactory,
    Front,
    ListenerFactory,
    RouterFactory,
    ServiceApp,
    ServiceContainer,
    TopologyDeclarator,
)
from libs.app.settings import EnvPrefix, ServiceSettings, load_settings, variables
from libs.app.stopping import stop_within

__all__ = [
    "ABORT",
    "HANDSHAKE",
    "PROBLEM_MEDIA_TYPE",
    "Application",
    "BodyTooLarge",
    "ContainerFactory",
    "DependencyAway",
    "EdgeSettings",
    "EnvPrefix",
    "Exchange",
    "Front",
    "Health",
    "HttpSettings",
    "ListenerFactory",
    "LogSettings",
    "MethodNotAllowed",
    "NotFound",
    "OperationsSettings",
    "Probe",
    "ProblemResponse",
    "RequestTimeout",
    "RouterFactory",
    "ServiceApp",
    "ServiceContainer",
    "ServiceSettings",
    "SettingsInvalid",
    "StartFailed",
    "TopologyDeclarator",
    "UnsupportedMediaType",
    "configure_logging",
    "create_service_app",
    "exchange_of",
    "load_settings",
    "run_service",
    "service_lifespan",
    "stop_within",
    "variables",
]
