"""The names on the wire are the public ones, and each operation has one queue."""

from libs.messaging import Caller, Empty, Event, Handlers, Lane, Listeners, Operation
from libs.messaging.topology import (
    BindingSpec,
    QueueSpec,
    control_queue,
    dead_queue,
    event_queue,
    heard,
    realtime_log,
    rpc_queue,
    served,
)

PING = Operation("hall.ping", Empty, Empty)
SCRUB = Operation("hall.scrub", Empty, Empty, lane="slow")


async def pong(request: Empty, caller: Caller) -> Empty:
    return Empty()


async def listen(payload: Empty) -> None:
    """Hear it."""


def table() -> Handlers:
    made = Handlers("hall", lanes={"slow": Lane(slots=2, max_length=5)})
    made.on(PING, pong)
    made.on(SCRUB, pong)
    return made


def test_the_names_are_those_of_the_wire() -> None:
    assert [rpc_queue("auth"), rpc_queue("auth", "hashing")] == [
        "gatehouse.rpc.auth",
        "gatehouse.rpc.auth.hashing",
    ]
    assert [event_queue("auth"), dead_queue("auth"), control_queue("gateway-1")] == [
        "gatehouse.events.auth",
        "gatehouse.dead.auth",
        "gatehouse.control.gateway-1",
    ]


def test_an_operation_is_bound_to_its_lane_and_unbound_from_the_others() -> None:
    topology = served(table())

    assert set(topology.bindings) == {
        BindingSpec("gatehouse.rpc.hall", "gatehouse.rpc", "hall.ping"),
        BindingSpec("gatehouse.rpc.hall.slow", "gatehouse.rpc", "hall.scrub"),
    }
    assert set(topology.stale) == {
        BindingSpec("gatehouse.rpc.hall.slow", "gatehouse.rpc", "hall.ping"),
        BindingSpec("gatehouse.rpc.hall", "gatehouse.rpc", "hall.scrub"),
    }


def test_operations_are_unbound_from_former_lanes_too() -> None:
    made = Handlers("hall", lanes={"slow": Lane()}, former_lanes=["old"])
    made.on(PING, pong)
    topology = served(made)

    assert not [queue for queue in topology.queues if queue.name.endswith(".old")]
    assert BindingSpec("gatehouse.rpc.hall.old", "gatehouse.rpc", "hall.ping") in topology.stale


def test_a_main_queue_in_which_nothing_waits_is_not_made_and_loses_what_it_heard() -> None:
    made = Handlers("hall", lanes={"slow": Lane()})
    made.on(SCRUB, pong)
    topology = served(made)

    assert [queue.name for queue in topology.queues] == ["gatehouse.rpc.hall.slow"]
    assert topology.stale == (BindingSpec("gatehouse.rpc.hall", "gatehouse.rpc", "hall.scrub"),)


def test_a_lanes_queue_is_bounded_and_refuses_what_is_over() -> None:
    [slow] = [queue for queue in served(table()).queues if queue.name.endswith(".slow")]

    assert slow.arguments == {
        "x-queue-type": "classic",
        "x-max-length": 5,
        "x-overflow": "reject-publish",
        "x-expires": 30_000,
    }


def test_a_cluster_has_quorum_queues() -> None:
    assert {queue.arguments["x-queue-type"] for queue in served(table(), queue_type="quorum").queues} == {
        "quorum"
    }


def test_a_segment_is_an_eighth_of_the_log() -> None:
    [log] = realtime_log(max_age="1h", max_bytes=8_000_000).queues

    assert log.arguments["x-stream-max-segment-size-bytes"] == 1_000_000


def test_dead_letters_have_a_queue_per_service() -> None:
    listeners = Listeners("billing")
    listeners.on(Event("hall.opened", Empty), listen)

    topology = heard(listeners)

    assert [queue.name for queue in topology.queues] == ["gatehouse.dead.billing", "gatehouse.events.billing"]
    assert BindingSpec("gatehouse.events.billing", "gatehouse.events", "hall.opened") in topology.bindings


def test_two_topologies_together_have_each_thing_once() -> None:
    both = served(table()) + served(table())

    assert both == served(table())
    assert (both + realtime_log()).queues[-1] == QueueSpec(
        "gatehouse.realtime", realtime_log().queues[0].arguments
    )
