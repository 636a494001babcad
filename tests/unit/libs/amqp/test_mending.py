import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from pamqp import commands

from libs.amqp import AmqpError, Backoff, Binding, ConnectionLost, DeclaredQueue, Delivery, Exchange, Queue
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.errors import refusal
from libs.amqp.mending import Mender
from libs.amqp.recovery import Missing
from libs.amqp.subscription import Subscription
from libs.amqp.topology import Topology
from tests.unit.libs.amqp.broker import Line

_GONE = refusal(404, "NOT_FOUND - no queue 'q' in vhost '/'")
_DOWN = refusal(
    404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible"
)


class Workshop:
    """A mender, with what it works on in a test's hands."""

    def __init__(self) -> None:
        self.topology = Topology()
        self.topology.queues["q"] = DeclaredQueue(Queue(name="q"), "q", 0, 0)
        self.topology.exchanges["x"] = Exchange(name="x", auto_delete=True)
        self.topology.bind(Binding(source="x", destination="q"))
        self.restored: list[Missing] = []
        self.outcomes: list[Missing | Exception] = []
        self.online = asyncio.Event()
        self.online.set()
        self.channel = ChannelProtocol(1, prefetch=0, confirming=False)
        self.line = Line(self.channel)
        self.line.answers()
        self.subscription = Subscription(tag="c", queue="q", callback=Delivery.ack)
        self.mender = Mender(
            self.topology,
            Backoff(initial=0.001, maximum=0.002),
            restore=self._restore,
            connected=self._connected,
        )

    async def _restore(self, missing: Missing) -> Missing:
        self.restored.append(missing)
        outcome = self.outcomes.pop(0) if self.outcomes else Missing()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _connected(self) -> None:
        await self.online.wait()

    def revive(self, error: AmqpError) -> None:
        self.mender.revive(self.channel, self.subscription, error)

    async def consumes(self) -> None:
        """Wait until the mender asks for deliveries."""
        await until(lambda: len(self.channel.subscriptions) == 1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # ruff: ignore[async-busy-wait] - a task of the subject makes it true
            await asyncio.sleep(0.001)


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    workshop = Workshop()
    yield workshop
    await workshop.mender.close()


class TestConsumers:
    async def test_a_queue_that_is_gone_is_declared_again_with_its_bindings(self, workshop: Workshop) -> None:
        workshop.revive(_GONE)
        await workshop.consumes()
        workshop.line.answers()

        assert workshop.subscription.active
        (missing,) = workshop.restored
        assert [queue.name for queue in missing.queues] == ["q"]
        assert [binding.source for binding in missing.bindings] == ["x"]
        assert [exchange.name for exchange in missing.exchanges] == ["x"]

    async def test_a_queue_whose_home_node_is_down_is_waited_for(self, workshop: Workshop) -> None:
        workshop.revive(_DOWN)
        await workshop.consumes()
        workshop.line.sent()
        workshop.line.closes(404, _DOWN.text, commands.Basic.Consume)
        workshop.line.answers()
        await until(lambda: len(workshop.channel.subscriptions) == 1)
        workshop.line.answers()

        assert workshop.subscription.active
        assert workshop.restored == []

    async def test_a_queue_of_somebody_else_is_not_declared(self, workshop: Workshop) -> None:
        workshop.topology.forget_queue("q")

        workshop.revive(_GONE)
        await workshop.consumes()

        assert workshop.restored == []

    async def test_arguments_that_cannot_be_made_are_tried_again(
        self, workshop: Workshop, caplog: pytest.LogCaptureFixture
    ) -> None:
        attempts = iter([RuntimeError("not yet"), None])

        def arguments() -> dict[str, object]:
            error = next(attempts)
            if error is not None:
                raise error
            return {}

        workshop.subscription.arguments = arguments

        workshop.revive(AmqpError("cancelled"))
        await workshop.consumes()
        workshop.line.answers()

        assert workshop.subscription.active
        assert "not yet" in caplog.text

    async def test_nothing_is_tried_without_a_connection(self, workshop: Workshop) -> None:
        workshop.online.clear()
        workshop.revive(AmqpError("cancelled"))
        await asyncio.sleep(0.02)
        assert workshop.channel.subscriptions == {}

        workshop.online.set()
        await workshop.consumes()

    async def test_one_that_is_not_wanted_any_more_is_left_alone(self, workshop: Workshop) -> None:
        workshop.online.clear()
        workshop.revive(AmqpError("cancelled"))

        workshop.mender.forget(workshop.subscription)
        workshop.online.set()
        await asyncio.sleep(0.02)

        assert workshop.channel.subscriptions == {}


class TestTopology:
    async def test_what_is_refused_is_tried_until_it_is_there(self, workshop: Workshop) -> None:
        missing = Missing(queues=list(workshop.topology.queues.values()))
        workshop.outcomes = [missing, ConnectionLost("gone"), Missing()]

        workshop.mender.complete(missing)
        await until(lambda: len(workshop.restored) == 3)

        assert all(each.queues == missing.queues for each in workshop.restored)

    async def test_a_queue_comes_with_its_bindings_and_they_with_their_exchanges(
        self, workshop: Workshop
    ) -> None:
        """They were there when the queue was refused, and have gone with what stood in its place."""
        workshop.mender.complete(Missing(queues=list(workshop.topology.queues.values())))
        await until(lambda: len(workshop.restored) == 1)

        (tried,) = workshop.restored
        assert [exchange.name for exchange in tried.exchanges] == ["x"]
        assert tried.bindings == workshop.topology.bindings

    async def test_a_new_loss_replaces_what_was_missing(self, workshop: Workshop) -> None:
        workshop.online.clear()
        workshop.mender.complete(Missing(queues=list(workshop.topology.queues.values())))
        bindings = Missing(bindings=workshop.topology.bindings)

        workshop.mender.complete(bindings)
        workshop.online.set()
        await until(lambda: len(workshop.restored) == 1)
        workshop.mender.complete(Missing())
        await asyncio.sleep(0.01)

        assert [(one.queues, one.bindings) for one in workshop.restored] == [([], bindings.bindings)]

    async def test_what_was_taken_back_meanwhile_is_not_declared_again(self, workshop: Workshop) -> None:
        topology = workshop.topology
        topology.bind(Binding(source="y", destination="z", to_exchange=True))
        missing = Missing.all_of(topology)
        workshop.outcomes = [missing, missing]

        workshop.mender.complete(missing)
        await until(lambda: len(workshop.restored) == 1)
        topology.forget_queue("q")
        topology.forget_exchange("x")
        await until(lambda: len(workshop.restored) == 3)

        assert workshop.restored[-1] == Missing([], [], topology.bindings)

    async def test_a_failure_that_nobody_expected_ends_no_trying(
        self, workshop: Workshop, caplog: pytest.LogCaptureFixture
    ) -> None:
        workshop.outcomes = [RuntimeError("on purpose")]

        workshop.mender.complete(Missing.all_of(workshop.topology))
        await until(lambda: len(workshop.restored) == 2)

        assert "RuntimeError: on purpose" in caplog.text
