"""What only a real broker shows of the bus: the wire, trust, redelivery, loss of the line."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from libs.amqp import Connection, Delivery, Properties, Queue
from libs.local import RabbitMQ
from libs.messaging import (
    ANONYMOUS,
    SERVICES,
    Caller,
    CallError,
    Client,
    ControlSubscription,
    Deadline,
    Empty,
    Event,
    Handlers,
    Identity,
    Interrupted,
    Lane,
    Listeners,
    Operation,
    Reply,
    Unavailable,
    UnknownOperation,
    ValidationFailed,
    acting_for,
)
from libs.messaging.handlers import Handler
from libs.messaging.rabbitmq import RabbitBus, TopologyConflict
from libs.messaging.topology import RPC_EXCHANGE, SHARED, realtime_log, rpc_queue, served
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import Vhost
from tests.integration.messaging.conftest import OpenBus


class Seen(Reply):
    sub: str = ""
    ip: str = ""


WHO = Operation("auth.who", Empty, Seen, access=SERVICES)
WAIT = Operation("auth.wait", Empty, Seen, access=SERVICES)
WAIT_AGAIN = Operation("auth.wait_again", Empty, Seen, access=SERVICES, idempotent=True)
TOLD = Event("auth.told", Seen)
NEWS = Event("realtime.news.posted", Seen)
ALICE = Caller(identity=Identity("alice", "s1"), client=Client(ip="192.0.2.1", user_agent="curl"))


async def who(request: Empty, caller: Caller) -> Seen:
    return Seen(sub=caller.identity.sub if caller.identity else "", ip=caller.client.ip)


def table(operation: Operation[Empty, Seen], handler: Handler[Empty, Seen], **lanes: Lane) -> Handlers:
    made = Handlers("auth", lanes=lanes)
    made.on(operation, handler)
    return made


async def serve(bus: RabbitBus, handlers: Handlers) -> None:
    await bus.declare(served(handlers))
    await bus.serve(handlers)


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def hears(control: ControlSubscription) -> bool:
    """Asked anew each time: what a property said before proves nothing."""
    return control.hears


async def next_delivery(tap: Connection, queue: str) -> Delivery:
    """Take one message out of a queue."""
    taken: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
    channel = await tap.channel(prefetch=1)
    await channel.consume(queue, taken.set_result)
    async with asyncio.timeout(30):
        delivery = await taken
    delivery.ack()
    await channel.close()
    return delivery


class TestWire:
    async def test_a_request_travels_as_the_wire_says(self, open_bus: OpenBus, tap: Connection) -> None:
        gateway = await open_bus("gateway")
        await (await open_bus("auth_svc")).declare(served(table(WHO, who)))

        call = asyncio.create_task(gateway.forward(WHO, b"{}", ALICE))
        request = await next_delivery(tap, rpc_queue("auth"))
        call.cancel()

        properties, headers = request.properties, request.headers
        assert (request.exchange, request.routing_key, request.body) == ("gatehouse.rpc", "auth.who", b"{}")
        assert (properties.content_type, properties.type, properties.user_id) == (
            "application/json",
            "auth.who",
            "gateway",
        )
        assert properties.delivery_mode in {None, 1}
        assert properties.correlation_id
        assert properties.message_id
        assert properties.reply_to
        assert 1 <= (properties.expiration or 0) <= 10_000
        assert json.loads(headers["identity"]) == {"sub": "alice", "sid": "s1", "scope": ""}
        assert json.loads(headers["client"]) == {"ip": "192.0.2.1", "user_agent": "curl"}
        assert isinstance(headers["deadline"], int)

    async def test_a_foreign_caller_needs_only_reply_to_and_correlation_id(
        self, open_bus: OpenBus, tap: Connection
    ) -> None:
        await serve(await open_bus("auth_svc"), table(WHO, who))
        channel = await tap.channel()
        replies = await channel.declare_queue(Queue(exclusive=True, durable=False))

        channel.publish(
            RPC_EXCHANGE, "auth.who", b"{}", Properties(correlation_id="7", reply_to=replies.name)
        )
        reply = await next_delivery(tap, replies.name)

        assert (reply.correlation_id, reply.type, json.loads(reply.body)) == (
            "7",
            "reply",
            {"sub": "", "ip": ""},
        )

    async def test_an_event_is_persistent_and_carries_its_id(
        self, open_bus: OpenBus, tap: Connection
    ) -> None:
        bus = await open_bus("auth_svc")
        await bus.declare(SHARED)
        channel = await tap.channel()
        await channel.declare_queue(Queue(name="tapped", exclusive=True, durable=False))
        await channel.bind_queue("tapped", "gatehouse.events", "auth.#")

        with acting_for(Caller(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")):
            await bus.publish(TOLD, Seen(sub="alice"), mandatory=True)
        event = await next_delivery(tap, "tapped")

        assert (event.routing_key, event.type, event.properties.delivery_mode) == (
            "auth.told",
            "auth.told",
            2,
        )
        assert event.message_id
        assert event.properties.timestamp
        assert event.headers == {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


class TestTrust:
    async def test_the_gateways_identity_counts(self, open_bus: OpenBus) -> None:
        await serve(await open_bus("auth_svc"), table(WHO, who))

        found = await (await open_bus("gateway")).forward(WHO, b"{}", ALICE)

        assert json.loads(found) == {"sub": "alice", "ip": "192.0.2.1"}

    async def test_anyone_elses_identity_does_not(self, open_bus: OpenBus) -> None:
        await serve(await open_bus("auth_svc"), table(WHO, who))

        found = await (await open_bus("auth_svc")).forward(WHO, b"{}", ALICE)

        assert json.loads(found) == {"sub": "", "ip": ""}

    async def test_a_message_without_a_checked_user_is_anonymous(
        self, open_bus: OpenBus, tap: Connection
    ) -> None:
        await serve(await open_bus("auth_svc"), table(WHO, who))
        channel = await tap.channel()
        replies = await channel.declare_queue(Queue(exclusive=True, durable=False))
        forged = {"identity": Identity("root", "s").header}

        channel.publish(
            RPC_EXCHANGE,
            "auth.who",
            b"{}",
            Properties(correlation_id="1", reply_to=replies.name, headers=forged),
        )

        assert json.loads((await next_delivery(tap, replies.name)).body) == {"sub": "", "ip": ""}


class TestRefusal:
    async def test_a_binding_that_outlived_its_operation_is_refused(
        self, open_bus: OpenBus, tap: Connection
    ) -> None:
        await serve(await open_bus("auth_svc"), table(WHO, who))
        await (await tap.channel()).bind_queue(rpc_queue("auth"), RPC_EXCHANGE, "auth.gone")

        with pytest.raises(UnknownOperation):
            await (await open_bus("gateway")).call(Operation("auth.gone", Empty, Seen), Empty())

    async def test_a_body_over_the_bound_is_refused(self, open_bus: OpenBus) -> None:
        await serve(await open_bus("auth_svc", max_body=1024), table(WHO, who))

        with pytest.raises(ValidationFailed) as refused:
            await (await open_bus("gateway")).forward(WHO, b" " * 2000 + b"{}", ANONYMOUS)
        (only,) = refused.value.errors
        assert (only.field, only.message) == ("body", "It is larger than 1024 bytes")

    @pytest.mark.parametrize(
        "properties",
        [
            Properties(correlation_id="1", headers={"deadline": "soon", "traceparent": 7, "identity": [1]}),
            Properties(correlation_id="1", headers={"deadline": -(2**62)}),
            Properties(correlation_id="1" * 255, type="auth." + "x" * 200),
        ],
        ids=["headers of other types", "a deadline long ago", "an unknown type"],
    )
    async def test_hostile_properties_stop_no_worker(
        self, open_bus: OpenBus, tap: Connection, properties: Properties
    ) -> None:
        await serve(await open_bus("auth_svc"), table(WHO, who))

        (await tap.channel()).publish(RPC_EXCHANGE, "auth.who", b"{}", properties)

        assert await (await open_bus("gateway")).call(WHO, Empty()) == Seen()


class TestTopology:
    async def test_a_queue_of_another_shape_is_named_with_both_values(self, open_bus: OpenBus) -> None:
        bus = await open_bus("auth_svc")
        await bus.declare(served(Handlers("auth", lanes={"": Lane(max_length=10)})))

        with pytest.raises(TopologyConflict) as caught:
            await bus.declare(served(Handlers("auth", lanes={"": Lane(max_length=20)})))

        line = str(caught.value)
        assert "gatehouse.rpc.auth" in line
        assert "x-max-length" in line
        assert "10" in line
        assert "20" in line
        assert "\n" not in line

    async def test_declaring_twice_changes_nothing(self, open_bus: OpenBus) -> None:
        bus = await open_bus("auth_svc")

        for _ in range(2):
            await bus.declare(served(table(WHO, who)) + realtime_log(max_bytes=1_000_000))

        await bus.check()

    async def test_an_operation_that_moved_to_a_lane_runs_once(self, open_bus: OpenBus) -> None:
        runs = []

        async def count(request: Empty, caller: Caller) -> Seen:
            runs.append(caller.request_id)
            return Seen()

        bus = await open_bus("auth_svc")
        moved = Operation("auth.who", Empty, Seen, access=SERVICES, lane="slow")
        await bus.declare(served(table(WHO, count, slow=Lane())))
        await serve(bus, table(moved, count, slow=Lane()))

        await (await open_bus("gateway")).call(WHO, Empty())

        assert len(runs) == 1

    async def test_an_operation_runs_once_beside_a_process_that_still_has_its_former_lane(
        self, open_bus: OpenBus
    ) -> None:
        ran: list[str] = []

        def counting(version: str) -> Handler[Empty, Seen]:
            async def count(request: Empty, caller: Caller) -> Seen:
                ran.append(version)
                return Seen()

            return count

        before = Operation("auth.who", Empty, Seen, access=SERVICES, lane="slow")
        await serve(await open_bus("auth_svc"), table(before, counting("old"), slow=Lane()))
        moved = Handlers("auth", former_lanes=["slow"])
        moved.on(WHO, counting("new"))
        await serve(await open_bus("auth_svc"), moved)

        gateway = await open_bus("gateway")
        for _ in range(5):
            await gateway.call(WHO, Empty())

        assert ran == ["new"] * 5


class TestRedelivery:
    async def test_an_interrupted_operation_is_answered_and_not_run_again(self, open_bus: OpenBus) -> None:
        runs = await self._interrupt(open_bus, WAIT, expected=Interrupted)

        assert runs == ["first"]

    async def test_an_idempotent_operation_is_run_again(self, open_bus: OpenBus) -> None:
        runs = await self._interrupt(open_bus, WAIT_AGAIN, expected=None)

        assert runs == ["first", "second"]

    async def _interrupt(
        self, open_bus: OpenBus, operation: Operation[Empty, Seen], expected: type[CallError] | None
    ) -> list[str]:
        """Let a server vanish while it runs the operation, with another one standing by."""
        runs: list[str] = []

        def handler(name: str) -> Handler[Empty, Seen]:
            async def handle(request: Empty, caller: Caller) -> Seen:
                runs.append(name)
                if name == "first":
                    await asyncio.sleep(60)
                return Seen(sub=name)

            return handle

        first, second = await open_bus("auth_svc", drain_timeout=0.1), await open_bus("auth_svc")
        await serve(first, table(operation, handler("first")))
        call = asyncio.create_task((await open_bus("gateway")).call(operation, Empty()))
        await until(lambda: runs == ["first"])
        await second.serve(table(operation, handler("second")))

        await first._lines.consuming.close()

        if expected is None:
            assert (await call).sub == "second"
        else:
            with pytest.raises(expected):
                await call
        return runs


class TestLoss:
    async def test_an_event_that_never_left_is_unavailable(self, open_bus: OpenBus, vhost: Vhost) -> None:
        async with Proxy.to(vhost.url_for("auth_svc")) as proxy:
            bus = await open_bus("auth_svc", url=proxy.url(vhost.url_for("auth_svc")))
            await bus.declare(SHARED)
            proxy.refuse = True
            proxy.cut()
            await until(lambda: not bus.connected)

            with acting_for(Caller(deadline=Deadline.after(0.5))), pytest.raises(Unavailable):
                await bus.publish(TOLD, Seen())

            proxy.refuse = False
            await bus.publish(TOLD, Seen())
            await bus.close()

    async def test_the_bus_comes_back_after_the_broker(
        self, open_bus: OpenBus, broker: RabbitMQ, vhost: Vhost
    ) -> None:
        service, gateway = await open_bus("auth_svc"), await open_bus("gateway")
        heard: list[str] = []
        bound: list[int] = []

        async def listen(payload: Seen) -> None:
            heard.append(payload.sub)

        async def on_bound() -> None:
            bound.append(1)

        listeners = Listeners("gateway")
        listeners.on(TOLD, listen)
        await serve(service, table(WHO, who))
        await service.declare(realtime_log(max_bytes=1_000_000))
        control = await gateway.control(listeners, bound=on_bound)
        assert hears(control)
        assert await gateway.call(WHO, Empty()) == Seen()

        # RabbitMQ 3.10 forgets a stream for good when it is killed within a second of its making, a busy one later too.
        await asyncio.sleep(5)
        await asyncio.to_thread(broker.kill)
        await until(lambda: not gateway.connected and not service.connected)
        with pytest.raises(Unavailable):
            await gateway.call(WHO, Empty())
        with pytest.raises(Unavailable):
            await gateway.check()
        assert not hears(control)
        stored = asyncio.create_task(self._store(service))
        await asyncio.to_thread(broker.start)

        async def answers() -> bool:
            try:
                return await gateway.call(WHO, Empty(), timeout=1.0) == Seen()
            except CallError:
                return False

        await until(answers, seconds=60)
        await until(lambda: len(bound) == 2)
        assert hears(control)
        await service.publish(TOLD, Seen(sub="after"), mandatory=True)
        await until(lambda: heard == ["after"])
        async with asyncio.timeout(60):
            await stored

    async def _store(self, bus: RabbitBus) -> None:
        """A client-facing event that is published while the broker is away waits for it."""
        while True:
            try:
                await bus.publish(NEWS, Seen(sub="news"), channel="public:news")
            except Unavailable:
                continue
            return
