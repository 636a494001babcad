"""The contestants by name; each is imported only in the processes that run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.echo.terms import Served

if TYPE_CHECKING:
    from benchmarks.load import Call

Serving: TypeAlias = Callable[[str, Served], AbstractAsyncContextManager[None]]
Calling: TypeAlias = Callable[..., AbstractAsyncContextManager["Call"]]


@dataclass(frozen=True)
class Contestant:
    """A way to call: its module here, and what the client in it is told."""

    name: str
    module: str
    options: Mapping[str, bool] = field(default_factory=dict)


AIO_PIKA = Contestant("aio_pika_rpc", "aio_pika_rpc", {"confirms": False})
AIO_PIKA_CONFIRMED = Contestant("aio_pika_rpc_confirmed", "aio_pika_rpc", {"confirms": True})
PIKA = Contestant("pika_asyncio", "pika_asyncio")
CLIENT = Contestant("gatehouse_client", "gatehouse_client")
BUS = Contestant("gatehouse_bus", "gatehouse_bus")

ALL = (AIO_PIKA, CLIENT, PIKA, BUS, AIO_PIKA_CONFIRMED)


def serving(module: str) -> Serving:
    """What answers, given a broker's URL and where to count."""
    found: Serving = import_module(f"benchmarks.echo.{module}").serving
    return found


def calling(module: str) -> Calling:
    """What calls, given a broker's URL."""
    found: Calling = import_module(f"benchmarks.echo.{module}").calling
    return found
