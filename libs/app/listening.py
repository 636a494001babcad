"""Where a service listens: its public port, where it has one, and its operations port."""

from __future__ import annotations

import resource
import socket
from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict, Field

from libs.app.errors import StartFailed


class OperationsSettings(BaseModel):
    """Where operators and probes reach a service: health and metrics, never a client's door."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    host: str = Field(
        "127.0.0.1",
        validation_alias="OPERATIONS_HOST",
        description="Address of the operations port (`/healthz`, `/readyz`, `/metrics`); keep it off public networks.",
    )
    port: int = Field(
        ge=0,
        le=65535,
        validation_alias="OPERATIONS_PORT",
        description="Operations port; 0 takes a free one.",
    )


class HttpSettings(BaseModel):
    """Where clients come in, and how long a connection may idle or a stop may wait."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address that clients reach.")
    port: int = Field(
        ge=0, le=65535, validation_alias="PORT", description="Port that clients reach; 0 takes a free one."
    )
    reuse_port: bool = Field(
        default=False,
        validation_alias="REUSE_PORT",
        description="Share the port with other processes of this service (SO_REUSEPORT); the kernel spreads connections.",
    )
    keep_alive: int = Field(
        65,
        ge=1,
        validation_alias="KEEP_ALIVE",
        description="How long an idle connection stays open (s); longer than the idle time of a proxy in front.",
    )
    stop_timeout: int = Field(
        15,
        ge=1,
        validation_alias="STOP_TIMEOUT",
        description="How long a stop waits for running requests (s); then they are cancelled.",
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the port."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A bound socket that does not listen yet; raises `StartFailed` where the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartFailed(f"cannot listen on {host}:{port}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise StartFailed(f"cannot listen on {host}:{port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def allow_open_files() -> None:
    """Let this process have as many open files, so clients, as the system grants: many shells give it 1,024 at first."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in {now, most} and now < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
