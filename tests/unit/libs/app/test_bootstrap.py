"""The order of a start and of a stop, recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from typing_extensions import override

from libs.app import (
    OperationsSettings,
    Probe,
    ServiceApp,
    ServiceSettings,
    SettingsInvalid,
    StartFailed,
    create_service_app,
    service_lifespan,
)
from libs.messaging.memory import MemoryBus

pytestmark = pytest.mark.usefixtures("no_env_file")

STEPS = ["settings", "container", "topology", "listener 1", "listener 2"]
STOPS = ["stop listener 2", "stop listener 1", "drain", "close container"]


class Recorder:
    """Writes down every step, and fails at one of them when told to."""

    def __init__(self, *, fail_at: str = "", hang_at: str = "") -> None:
        self.steps: list[str] = []
        self.hanging = asyncio.Event()
        self._fail_at = fail_at
        self._hang_at = hang_at

    async def step(self, name: str) -> None:
        self.steps.append(name)
        if name == self._hang_at:
            self.hanging.set()
            await asyncio.Event().wait()
        if name == self._fail_at:
            raise ConnectionError(f"{name} is broken")

    def app(self) -> ServiceApp[Any, Any]:
        recorder = self

        class Settings(ServiceSettings):
            operations: OperationsSettings = OperationsSettings(port=0)

            @override
            def model_post_init(self, _context: Any, /) -> None:
                recorder.steps.append("settings")

        return create_service_app(
            name="recorded",
            settings_class=Settings,
            container_factory=self.container,
            topology_declarator=lambda _container: self.step("topology"),
            listener_factories=[self.listener("listener 1"), self.listener("listener 2")],
            routers=[lambda container: container.router()],
        )

    async def container(self, _settings: ServiceSettings) -> RecordedContainer:
        await self.step("container")
        return RecordedContainer(self)

    def listener(self, name: str) -> Callable[[RecordedContainer], Awaitable[RecordedListener]]:
        async def start(_container: RecordedContainer) -> RecordedListener:
            await self.step(name)
            return RecordedListener(self, name)

        return start


class RecordedContainer:
    probes: MappingProxyType[str, Probe] = MappingProxyType({})

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.bus = RecordedBus(recorder)

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/from-container")
        async def from_container() -> str:
            return "here"

        return router

    async def dismiss_clients(self) -> None:
        await self._recorder.step("dismiss clients")

    async def close(self) -> None:
        await self._recorder.step("close container")


class RecordedBus(MemoryBus):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    @override
    async def drain(self) -> None:
        await self._recorder.step("drain")


class RecordedListener:
    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    async def stop(self) -> None:
        await self._recorder.step(f"stop {self._name}")


@pytest.fixture
def no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


async def test_a_service_starts_in_order_and_stops_in_the_exact_reverse() -> None:
    recorder = Recorder()
    app = recorder.app()
    async with service_lifespan(app):
        assert recorder.steps == STEPS
        assert await app.health.readiness() == (True, [])
    assert recorder.steps == [*STEPS, *STOPS]


async def test_a_service_is_ready_only_between_its_start_and_its_stop() -> None:
    app = Recorder().app()
    assert await app.health.readiness() == (False, ["starting"])
    async with service_lifespan(app):
        assert await app.health.readiness() == (True, [])
    assert await app.health.readiness() == (False, ["stopping"])


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
async def test_a_start_that_fails_half_way_closes_what_it_opened_in_reverse(failing: int) -> None:
    recorder = Recorder(fail_at=STEPS[failing])
    with pytest.raises(StartFailed):
        async with service_lifespan(recorder.app()):
            pytest.fail("it must not start")
    undone = {1: [], 2: STOPS[2:], 3: STOPS[2:], 4: STOPS[1:]}[failing]
    assert recorder.steps == [*STEPS[: failing + 1], *undone]


async def test_the_failing_step_and_its_cause_are_named_in_one_line() -> None:
    with pytest.raises(StartFailed) as failed:
        async with service_lifespan(Recorder(fail_at="topology").app()):
            pytest.fail("it must not start")
    assert str(failed.value) == "recorded cannot start: declaring the topology failed: topology is broken"


async def test_a_start_cancelled_half_way_closes_what_it_opened_in_reverse() -> None:
    recorder = Recorder(hang_at="listener 2")
    app = recorder.app()

    async def start() -> None:
        async with service_lifespan(app):
            pytest.fail("it must not start")

    starting = asyncio.create_task(start())
    await asyncio.wait_for(recorder.hanging.wait(), 30)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert recorder.steps == [*STEPS, *STOPS[1:]]


@pytest.mark.parametrize("failing", STOPS[:3])
async def test_a_step_that_fails_on_the_way_back_does_not_keep_the_others_from_closing(failing: str) -> None:
    recorder = Recorder(fail_at=failing)
    async with service_lifespan(recorder.app()):
        pass
    assert recorder.steps == [*STEPS, *STOPS]


async def test_wrong_settings_stop_the_start_before_anything_is_opened() -> None:
    class Settings(ServiceSettings):
        operations: OperationsSettings

    recorder = Recorder()
    with pytest.raises(SettingsInvalid):
        create_service_app(
            name="recorded",
            settings_class=Settings,
            container_factory=recorder.container,
            topology_declarator=lambda _container: recorder.step("topology"),
            listener_factories=[],
        )
    assert recorder.steps == []


async def test_a_router_made_from_the_container_is_served() -> None:
    app = Recorder().app()
    async with (
        service_lifespan(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client,
    ):
        assert (await client.get("/from-container")).json() == "here"
