"""What every bus promises: each case runs against the bus in memory and the bus over RabbitMQ."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.messaging import (
    ANONYMOUS,
    Bus,
    Caller,
    Client,
    Deadline,
    Empty,
    Forbidden,
    Handlers,
    Identity,
    InternalError,
    Interrupted,
    Listeners,
    Overloaded,
    RemoteError,
    TimedOut,
    TokenInvalid,
    Unavailable,
    Unreadable,
    ValidationFailed,
    acting_for,
    current_caller,
)
from tests.conformance.contracts import (
    ASK_WHO,
    CLEAR,
    LANES,
    LOST,
    MINE,
    NEWS,
    NOBODY,
    ORDER,
    ORDER_AS_NUMBER,
    SHIPPED,
    SLOW,
    WHO,
    Order,
    OutOfStock,
    Receipt,
    Seen,
    Shipped,
)
from tests.conformance.house import House

ALICE = Identity(sub="0197-alice", sid="0197-session", scope="read write")


class Warehouse:
    """The handlers that the cases call; ``gate`` holds the slow one until it is set."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.gate = asyncio.Event()
        self.entered = asyncio.Semaphore(0)
        self.slow_runs = 0

    async def order(self, request: Order, caller: Caller) -> Receipt:
        if request.item == "bug":
            raise RuntimeError("the shelf fell down: secret cause")
        if request.count > 100:
            raise OutOfStock(f"{request.item} is gone")
        await asyncio.sleep(0)
        return Receipt(item=request.item, total=request.count * 2)

    async def slow(self, request: Order, caller: Caller) -> Receipt:
        self.slow_runs += 1
        self.entered.release()
        await self.gate.wait()
        return Receipt(item=request.item, total=0)

    async def who(self, request: Empty, caller: Caller) -> Seen:
        return Seen(
            sub=caller.identity.sub if caller.identity else "",
            ip=caller.client.ip,
            remaining=caller.deadline.remaining if caller.deadline else -1.0,
        )

    async def ask_who(self, request: Empty, caller: Caller) -> Seen:
        return await self.bus.call(WHO, Empty())

    def table(self) -> Handlers:
        table = Handlers("warehouse", lanes=LANES)
        table.on(ORDER, self.order)
        table.on(SLOW, self.slow)
        table.on(WHO, self.who)
        table.on(ASK_WHO, self.ask_who)
        table.on(MINE, self.who)
        table.on(CLEAR, self.who)
        return table


@pytest.fixture
async def warehouse(house: House) -> Warehouse:
    bus = await house.bus("warehouse")
    warehouse = Warehouse(bus)
    await house.serve(bus, warehouse.table())
    return warehouse


@pytest.fixture
async def bus(house: House) -> Bus:
    return await house.bus("gateway")


class Heard:
    """A listener that keeps what it heard."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.changed = asyncio.Event()

    async def __call__(self, payload: Shipped) -> None:
        self.numbers.append(payload.number)
        self.changed.set()

    async def until(self, count: int) -> list[int]:
        async with asyncio.timeout(30):
            while len(self.numbers) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.numbers


async def eventually(condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


class TestCall:
    async def test_a_call_is_answered_with_the_contracts_reply(self, warehouse: Warehouse, bus: Bus) -> None:
        assert await bus.call(ORDER, Order(item="lamp", count=3)) == Receipt(item="lamp", total=6)

    async def test_many_calls_at_once_each_get_their_own_answer(self, warehouse: Warehouse, bus: Bus) -> None:
        replies = await asyncio.gather(
            *(bus.call(ORDER, Order(item=f"i{n}", count=n % 50)) for n in range(1000))
        )

        assert replies == [Receipt(item=f"i{n}", total=n % 50 * 2) for n in range(1000)]

    async def test_a_services_error_is_raised_as_the_same_class(self, warehouse: Warehouse, bus: Bus) -> None:
        with pytest.raises(OutOfStock) as caught:
            await bus.call(ORDER, Order(item="lamp", count=101))

        assert (caught.value.status, caught.value.detail) == (409, "lamp is gone")

    async def test_an_error_unknown_to_the_caller_keeps_its_code(self, house: House, bus: Bus) -> None:
        async def refuse(request: Empty, caller: Caller) -> Seen:
            error = OutOfStock("all of them")
            error.code, error.status = "elsewhere.unknown", 418
            raise error

        table = Handlers("warehouse")
        table.on(WHO, refuse)
        await house.serve(await house.bus("elsewhere"), table)

        with pytest.raises(RemoteError) as caught:
            await bus.call(WHO, Empty())

        assert (caught.value.code, caught.value.status) == ("elsewhere.unknown", 418)

    async def test_a_handlers_bug_is_an_internal_error_without_its_cause(
        self, warehouse: Warehouse, bus: Bus
    ) -> None:
        with pytest.raises(InternalError) as caught:
            await bus.call(ORDER, Order(item="bug"))

        assert "secret cause" not in caught.value.problem().model_dump_json()

    async def test_a_body_that_does_not_fit_names_its_fields(self, warehouse: Warehouse, bus: Bus) -> None:
        with pytest.raises(ValidationFailed) as caught:
            await bus.forward(ORDER, b'{"count": "many", "colour": 1}', ANONYMOUS)

        assert {one.field for one in caught.value.errors} == {"item", "count", "colour"}
        assert caught.value.status == 422

    async def test_a_body_that_is_no_json_is_a_bad_request(self, warehouse: Warehouse, bus: Bus) -> None:
        with pytest.raises(ValidationFailed) as caught:
            await bus.forward(ORDER, b"{not json", ANONYMOUS)

        assert caught.value.status == 400

    async def test_forwarded_bytes_come_back_as_the_service_wrote_them(
        self, warehouse: Warehouse, bus: Bus
    ) -> None:
        assert await bus.forward(ORDER, b'{"item":"lamp"}', ANONYMOUS) == b'{"item":"lamp","total":2}'

    async def test_an_operation_that_nobody_serves_is_unavailable_at_once(self, bus: Bus) -> None:
        with pytest.raises(Unavailable) as caught:  # and not TimedOut
            await bus.call(NOBODY, Empty())

        assert caught.value.retry_after is not None

    async def test_a_call_past_its_deadline_times_out(self, warehouse: Warehouse, bus: Bus) -> None:
        with pytest.raises(TimedOut):
            await bus.call(SLOW, Order(item="lamp"), timeout=0.1)

    async def test_a_spent_budget_fails_without_a_message(self, warehouse: Warehouse, bus: Bus) -> None:
        with acting_for(Caller(deadline=Deadline.after(-1))), pytest.raises(TimedOut):
            await bus.call(SLOW, Order(item="lamp"))

        assert warehouse.slow_runs == 0

    async def test_a_full_lane_is_overloaded(self, warehouse: Warehouse, bus: Bus) -> None:
        first = asyncio.create_task(bus.call(SLOW, Order(item="runs")))
        async with asyncio.timeout(30):
            await warehouse.entered.acquire()
        second = asyncio.create_task(bus.call(SLOW, Order(item="waits")))
        await asyncio.sleep(0.1)

        with pytest.raises(Overloaded) as caught:
            await bus.call(SLOW, Order(item="too many"))

        warehouse.gate.set()
        assert [(await first).item, (await second).item] == ["runs", "waits"]
        assert caught.value.retry_after is not None

    async def test_a_full_lane_does_not_hold_the_others(self, warehouse: Warehouse, bus: Bus) -> None:
        held = asyncio.create_task(bus.call(SLOW, Order(item="runs")))
        async with asyncio.timeout(30):
            await warehouse.entered.acquire()

        assert (await bus.call(ORDER, Order(item="lamp"))).item == "lamp"

        warehouse.gate.set()
        await held

    async def test_more_calls_than_may_wait_are_overloaded(self, house: House, warehouse: Warehouse) -> None:
        bus = await house.bus("gateway", max_in_flight=1)
        held = asyncio.create_task(bus.call(SLOW, Order(item="runs")))
        async with asyncio.timeout(30):
            await warehouse.entered.acquire()

        with pytest.raises(Overloaded):
            await bus.call(ORDER, Order(item="lamp"))

        warehouse.gate.set()
        await held

    async def test_a_reply_that_breaks_the_contract_is_unreadable(
        self, warehouse: Warehouse, bus: Bus
    ) -> None:
        with pytest.raises(Unreadable):
            await bus.call(ORDER_AS_NUMBER, Order(item="lamp"))

    async def test_a_cancelled_call_leaves_the_others_alone(self, warehouse: Warehouse, bus: Bus) -> None:
        held = asyncio.create_task(bus.call(SLOW, Order(item="runs")))
        async with asyncio.timeout(30):
            await warehouse.entered.acquire()
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        warehouse.gate.set()

        assert await bus.call(ORDER, Order(item="lamp")) == Receipt(item="lamp", total=2)

    async def test_a_bus_that_closes_interrupts_the_calls_that_wait(
        self, warehouse: Warehouse, bus: Bus
    ) -> None:
        held = asyncio.create_task(bus.call(SLOW, Order(item="runs")))
        async with asyncio.timeout(30):
            await warehouse.entered.acquire()

        await bus.close()

        with pytest.raises(Interrupted):
            await held
        warehouse.gate.set()

    async def test_a_closed_bus_is_unavailable(self, warehouse: Warehouse, bus: Bus) -> None:
        await bus.close()

        with pytest.raises(Unavailable):
            await bus.call(ORDER, Order(item="lamp"))
        assert not bus.connected


class TestCaller:
    async def test_the_handler_sees_who_calls_and_from_where(self, warehouse: Warehouse, bus: Bus) -> None:
        with acting_for(Caller(identity=ALICE, client=Client(ip="192.0.2.7"))):
            seen = await bus.call(WHO, Empty())

        assert (seen.sub, seen.ip) == (ALICE.sub, "192.0.2.7")

    async def test_the_service_itself_refuses_whoever_its_contract_does_not_allow(
        self, warehouse: Warehouse, bus: Bus
    ) -> None:
        """No gateway stands between these two: anybody on the broker can send such a call."""
        for operation in (MINE, CLEAR):
            with pytest.raises(TokenInvalid):
                await bus.call(operation, Empty())
        with acting_for(Caller(identity=ALICE)):
            assert (await bus.call(MINE, Empty())).sub == ALICE.sub
            with pytest.raises(Forbidden):
                await bus.call(CLEAR, Empty())

    async def test_a_nested_call_passes_the_identity_on(self, warehouse: Warehouse, bus: Bus) -> None:
        with acting_for(Caller(identity=ALICE)):
            assert (await bus.call(ASK_WHO, Empty())).sub == ALICE.sub

    async def test_a_nested_call_gets_what_is_left_of_the_deadline(
        self, warehouse: Warehouse, bus: Bus
    ) -> None:
        seen = await bus.call(ASK_WHO, Empty(), timeout=9.0)

        assert 0 < seen.remaining <= 9.0  # an operation by itself has ten

    async def test_identities_of_calls_at_once_do_not_mix(self, warehouse: Warehouse, bus: Bus) -> None:
        async def ask(sub: str) -> str:
            with acting_for(Caller(identity=Identity(sub=sub, sid="s"))):
                return (await bus.call(ASK_WHO, Empty())).sub

        names = [f"account-{n}" for n in range(50)]
        assert await asyncio.gather(*map(ask, names)) == names

    def test_outside_of_a_request_there_is_no_caller(self) -> None:
        assert current_caller() is ANONYMOUS


class TestStop:
    async def test_a_stopping_server_finishes_what_runs(self, house: House, bus: Bus) -> None:
        own = await house.bus("warehouse")
        warehouse = Warehouse(own)
        serving = await house.serve(own, warehouse.table())
        held = asyncio.create_task(bus.call(SLOW, Order(item="runs")))
        async with asyncio.timeout(30):
            await warehouse.entered.acquire()

        stopping = asyncio.create_task(serving.stop())
        await asyncio.sleep(0.05)
        warehouse.gate.set()
        await stopping

        assert (await held).item == "runs"

    async def test_two_servers_share_the_work_and_one_may_leave(self, house: House, bus: Bus) -> None:
        counts = {"one": 0, "two": 0}

        def table(name: str) -> Handlers:
            async def order(request: Order, caller: Caller) -> Receipt:
                counts[name] += 1
                return Receipt(item=name, total=0)

            made = Handlers("warehouse")
            made.on(ORDER, order)
            return made

        first = await house.serve(await house.bus("one"), table("one"))
        await house.serve(await house.bus("two"), table("two"))
        await asyncio.gather(*(bus.call(ORDER, Order(item="lamp")) for _ in range(40)))
        assert counts["one"] > 0
        assert counts["two"] > 0

        await first.stop()

        replies = await asyncio.gather(*(bus.call(ORDER, Order(item="lamp")) for _ in range(10)))
        assert {reply.item for reply in replies} == {"two"}


def hearing(service: str, heard: Heard) -> Listeners:
    listeners = Listeners(service)
    listeners.on(SHIPPED, heard)
    return listeners


class TestEvents:
    async def test_an_event_goes_to_one_process_of_each_service(self, house: House, bus: Bus) -> None:
        first, second, other = Heard(), Heard(), Heard()
        await house.subscribe(await house.bus("one"), hearing("billing", first))
        await house.subscribe(await house.bus("two"), hearing("billing", second))
        await house.subscribe(await house.bus("three"), hearing("search", other))

        for number in range(10):
            await bus.publish(SHIPPED, Shipped(number=number))

        assert sorted(await other.until(10)) == list(range(10))
        await eventually(lambda: len(first.numbers) + len(second.numbers) == 10)
        assert sorted(first.numbers + second.numbers) == list(range(10))

    async def test_every_process_hears_what_it_controls(self, house: House, bus: Bus) -> None:
        first, second = Heard(), Heard()
        await house.control(await house.bus("gateway-1"), hearing("gateway", first))
        await house.control(await house.bus("gateway-2"), hearing("gateway", second))

        await bus.publish(SHIPPED, Shipped(number=7))

        assert (await first.until(1), await second.until(1)) == ([7], [7])

    async def test_a_process_may_control_with_several_tables(self, house: House, bus: Bus) -> None:
        first, second = Heard(), Heard()
        process = await house.bus("gateway")
        await house.control(process, hearing("gateway", first))
        await house.control(process, hearing("realtime", second))

        await bus.publish(SHIPPED, Shipped(number=7))
        await bus.publish(SHIPPED, Shipped(number=8))

        assert (sorted(await first.until(2)), sorted(await second.until(2))) == ([7, 8], [7, 8])

    async def test_a_control_queue_is_bound_before_its_owner_is_told(self, house: House, bus: Bus) -> None:
        heard = Heard()

        async def bound() -> None:
            await bus.publish(SHIPPED, Shipped(number=1), mandatory=True)

        await house.control(await house.bus("gateway-1"), hearing("gateway", heard), bound=bound)

        assert await heard.until(1) == [1]

    async def test_a_mandatory_event_that_nobody_hears_is_unavailable(self, bus: Bus) -> None:
        with pytest.raises(Unavailable):
            await bus.publish(LOST, Shipped(number=1), mandatory=True)

    async def test_an_event_that_nobody_hears_is_no_error(self, bus: Bus) -> None:
        await bus.publish(LOST, Shipped(number=1))

        assert bus.connected

    async def test_a_listener_that_fails_leaves_a_dead_letter(self, house: House, bus: Bus) -> None:
        async def fail(payload: Shipped) -> None:
            raise RuntimeError("cannot bill")

        listeners = Listeners("billing")
        listeners.on(SHIPPED, fail)
        await house.subscribe(await house.bus("billing"), listeners)

        await bus.publish(SHIPPED, Shipped(number=1))

        assert [letter.name for letter in await house.dead_letters("billing", count=1)] == [
            "warehouse.shipped"
        ]

    async def test_a_listener_that_awaits_what_was_cancelled_has_failed(self, house: House, bus: Bus) -> None:
        async def fail(payload: Shipped) -> None:
            broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            broken.cancel()
            await broken

        listeners = Listeners("billing")
        listeners.on(SHIPPED, fail)
        await house.subscribe(await house.bus("billing"), listeners)

        await bus.publish(SHIPPED, Shipped(number=1))

        [letter] = await house.dead_letters("billing", count=1)
        assert letter.body == b'{"number":1}'

    async def test_a_listener_that_takes_too_long_holds_up_nothing_and_leaves_a_dead_letter(
        self, house: House, bus: Bus
    ) -> None:
        heard = Heard()

        async def hang(payload: Shipped) -> None:
            if payload.number == 1:
                await asyncio.Event().wait()
            await heard(payload)

        listeners = Listeners("billing", slots=1)
        listeners.on(SHIPPED, hang)
        await house.subscribe(await house.bus("billing", event_timeout=0.5), listeners)

        await bus.publish(SHIPPED, Shipped(number=1))
        await bus.publish(SHIPPED, Shipped(number=2))

        assert await heard.until(1) == [2]
        [letter] = await house.dead_letters("billing", count=1)
        assert letter.body == b'{"number":1}'

    async def test_what_a_stop_has_ended_half_way_is_heard_again(self, house: House, bus: Bus) -> None:
        begun = asyncio.Event()

        async def hang(payload: Shipped) -> None:
            begun.set()
            await asyncio.Event().wait()

        listeners = Listeners("billing")
        listeners.on(SHIPPED, hang)
        first = await house.subscribe(await house.bus("one", drain_timeout=0.05), listeners)
        await bus.publish(SHIPPED, Shipped(number=1))
        async with asyncio.timeout(30):
            await begun.wait()

        await first.stop()

        second = Heard()
        await house.subscribe(await house.bus("two"), hearing("billing", second))
        assert await second.until(1) == [1]

    async def test_an_event_that_cannot_be_read_leaves_a_dead_letter(self, house: House, bus: Bus) -> None:
        heard = Heard()
        await house.subscribe(await house.bus("billing"), hearing("billing", heard))

        await house.send_raw("warehouse.shipped", b'{"number": "none"}')
        await bus.publish(SHIPPED, Shipped(number=2))

        assert await heard.until(1) == [2]
        assert [letter.body for letter in await house.dead_letters("billing", count=1)] == [
            b'{"number": "none"}'
        ]

    async def test_a_client_facing_event_lies_in_the_log(self, house: House, bus: Bus) -> None:
        await house.make_log()

        await bus.publish(NEWS, Shipped(number=3), channel="public:news")

        [message] = await house.log(count=1)
        assert (message.name, message.channel, message.body) == (
            "realtime.news.posted",
            "public:news",
            b'{"number":3}',
        )

    async def test_a_client_facing_event_needs_a_channel(self, bus: Bus) -> None:
        with pytest.raises(ValueError, match="channel"):
            await bus.publish(NEWS, Shipped(number=3))

    async def test_a_stopped_listener_hears_no_more(self, house: House, bus: Bus) -> None:
        heard = Heard()
        subscription = await house.control(await house.bus("gateway-1"), hearing("gateway", heard))
        states = [subscription.hears]
        await bus.publish(SHIPPED, Shipped(number=1))
        await heard.until(1)

        await subscription.stop()

        states.append(subscription.hears)
        assert states == [True, False]

        with pytest.raises(Unavailable):
            await bus.publish(SHIPPED, Shipped(number=2), mandatory=True)
        assert heard.numbers == [1]
