"""The contestants by name; each is imported only in the processes that run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from benchmarks.load import Call

Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[None]]
Calling: TypeAlias = Callable[..., AbstractAsyncContextManager["Call"]]


@dataclass(frozen=True)
class Contestant:
    """A way to call: its module here, and what the two ends in it are told."""

    name: str
    module: str
    client: Mapping[str, bool] = field(default_factory=dict)
    server: Mapping[str, bool] = field(default_factory=dict)


_CONFIRMED = {"confirms": True}
_UNCONFIRMED = {"confirms": False}

AIO_PIKA = Contestant("aio_pika_rpc", "aio_pika_rpc", _UNCONFIRMED, _UNCONFIRMED)
AIO_PIKA_REQUESTS_CONFIRMED = Contestant(
    "aio_pika_rpc_requests_confirmed", "aio_pika_rpc", _CONFIRMED, _UNCONFIRMED
)
AIO_PIKA_AS_SHIPPED = Contestant("aio_pika_rpc_as_shipped", "aio_pika_rpc", _CONFIRMED, _CONFIRMED)
PIKA = Contestant("pika_asyncio", "pika_asyncio")
CLIENT = Contestant("gatehouse_client", "gatehouse_client")
BUS = Contestant("gatehouse_bus", "gatehouse_bus")

ALL = (AIO_PIKA, CLIENT, PIKA, BUS, AIO_PIKA_AS_SHIPPED, AIO_PIKA_REQUESTS_CONFIRMED)


def serving(module: str) -> Serving:
    """What answers, given a broker's URL, where to count, and what the server's end is told."""
    found: Serving = import_module(f"benchmarks.echo.{module}").serving
    return found


def calling(module: str) -> Calling:
    """What calls, given a broker's URL."""
    found: Calling = import_module(f"benchmarks.echo.{module}").calling
    return found
