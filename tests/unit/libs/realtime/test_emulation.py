import asyncio

import pytest
from typing_extensions import override

from libs.messaging import AppError, Bus, Overloaded, Unavailable
from libs.messaging.memory import MemoryBroker, MemoryBus
from libs.messaging.topology import served
from libs.realtime.connection import ReturnPath
from libs.realtime.emulation import Emulation
from libs.realtime.errors import SessionNotFound


class Line:
    """A line that takes what comes, or has enough to do."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.busy = False

    async def take(self, frame: bytes) -> None:
        if self.busy:
            raise Overloaded
        self.frames.append(frame)


async def process(broker: MemoryBroker) -> Emulation:
    """A process that takes commands."""
    emulation = Emulation(MemoryBus(broker), timeout=30.0)
    await emulation.start()
    return emulation


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


async def test_commands_reach_a_session_of_the_same_process_without_the_broker() -> None:
    emulation, line = Emulation(MemoryBus(), timeout=30.0), Line()
    path = emulation.new_path()
    with emulation.leading(path, line):
        await emulation.bring(path, b"{}")

    assert line.frames == [b"{}"]


def test_a_process_has_one_queue_and_that_bears_its_name() -> None:
    emulation = Emulation(MemoryBus(), timeout=30.0)
    queues = [queue.name for queue in served(emulation.handlers).queues]

    assert queues == [f"gatehouse.rpc.gateway.{emulation.node}"]


async def test_commands_reach_a_session_of_another_process_as_they_are(broker: MemoryBroker) -> None:
    mine, other, line = await process(broker), await process(broker), Line()
    path = mine.new_path()
    frames = [b'{"id":1}\n{"id":2}', bytes(range(256))]
    with mine.leading(path, line):
        for frame in frames:
            await other.bring(path, frame)

    assert line.frames == frames


async def test_a_session_is_found_as_long_as_it_is_there(broker: MemoryBroker) -> None:
    mine, other = await process(broker), await process(broker)
    path = mine.new_path()
    with mine.leading(path, Line()):
        await other.bring(path, b"{}")

    for one in (mine, other):
        with pytest.raises(SessionNotFound):
            await one.bring(path, b"{}")


@pytest.mark.parametrize(
    "node", ["", "n00", "n0123456789abcdef", "N0123456789ABCDEF", "auth.login", "n" * 300]
)
async def test_there_is_no_session_in_a_process_that_is_not_there(broker: MemoryBroker, node: str) -> None:
    emulation = await process(broker)

    with pytest.raises(SessionNotFound):
        await emulation.bring(ReturnPath("s", node), b"{}")


async def test_a_process_that_stopped_takes_nothing_more(broker: MemoryBroker) -> None:
    mine, other, line = await process(broker), await process(broker), Line()
    path = mine.new_path()
    with mine.leading(path, line):
        await mine.stop()
        with pytest.raises(SessionNotFound):
            await other.bring(path, b"{}")

    assert line.frames == []


async def test_a_session_that_has_enough_to_do_says_so_everywhere(broker: MemoryBroker) -> None:
    mine, other, line = await process(broker), await process(broker), Line()
    line.busy = True
    path = mine.new_path()
    with mine.leading(path, line):
        for one in (mine, other):
            with pytest.raises(Overloaded):
                await one.bring(path, b"{}")


async def test_without_the_broker_nobody_knows_whether_the_session_is_there() -> None:
    bus = MemoryBus()
    emulation = Emulation(bus, timeout=30.0)
    await bus.close()

    with pytest.raises(Unavailable):
        await emulation.bring(ReturnPath("s", "n0123456789abcdef"), b"{}")


async def test_only_so_many_requests_are_on_their_way_to_others(broker: MemoryBroker) -> None:
    mine = await process(broker)
    other = Emulation(_Silent(broker), timeout=60.0)
    path = mine.new_path()
    waiting = [asyncio.create_task(other.bring(path, b"{}")) for _ in range(1000)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await other.bring(path, b"{}")
    for one in waiting:
        one.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert other._on_their_way == 0


class _Silent(MemoryBus):
    """Whatever is called does not answer."""

    @override
    async def call(self, *_: object, **__: object) -> object:  # type: ignore[override]
        await asyncio.Event().wait()
        raise AppError


def test_paths_cannot_be_guessed_nor_taken_for_another() -> None:
    bus: Bus = MemoryBus()
    emulations = [Emulation(bus, timeout=30.0) for _ in range(2)]
    paths = {emulation.new_path() for emulation in emulations for _ in range(100)}

    assert len({path.session for path in paths}) == 200
    assert len({path.node for path in paths}) == 2
    assert min(len(path.session) for path in paths) >= 32  # 24 bytes, in base64
