from libs.amqp import Binding, DeclaredQueue, Exchange, Queue
from libs.amqp.topology import Topology


def _known() -> Topology:
    topology = Topology()
    for name in ("outer", "inner"):
        topology.exchanges[name] = Exchange(name=name)
    topology.queues["q"] = DeclaredQueue(Queue(), "q", 0, 0)
    topology.bind(Binding(source="outer", destination="inner", to_exchange=True))
    topology.bind(Binding(source="inner", destination="q", routing_key="a"))
    topology.bind(Binding(source="inner", destination="q", routing_key="b"))
    return topology


def _routes(topology: Topology) -> list[tuple[str, str, str]]:
    return [(each.source, each.destination, each.routing_key) for each in topology.bindings]


def test_bindings_that_differ_only_in_arguments_are_two() -> None:
    topology = Topology()

    for colour in ("red", "blue", "red"):
        topology.bind(Binding(source="x", destination="q", arguments={"colour": colour, "x-match": "all"}))
    topology.unbind(Binding(source="x", destination="q", arguments={"x-match": "all", "colour": "red"}))

    assert [binding.arguments["colour"] for binding in topology.bindings] == ["blue"]


def test_a_queue_goes_with_its_bindings() -> None:
    topology = _known()

    topology.forget_queue("q")

    assert topology.queues == {}
    assert _routes(topology) == [("outer", "inner", "")]


def test_an_exchange_goes_with_its_bindings() -> None:
    topology = _known()

    topology.forget_exchange("inner")

    assert list(topology.exchanges) == ["outer"]
    assert _routes(topology) == []


def test_a_renamed_queue_keeps_its_bindings_and_an_exchange_of_that_name_its_own() -> None:
    topology = _known()
    topology.bind(Binding(source="outer", destination="q", to_exchange=True))

    renamed = topology.rename_queue("q", "new")

    assert renamed is not None
    assert renamed.name == "new"
    assert topology.queues == {"new": renamed}
    assert _routes(topology) == [
        ("outer", "inner", ""),
        ("inner", "new", "a"),
        ("inner", "new", "b"),
        ("outer", "q", ""),
    ]
    assert [binding.routing_key for binding in topology.bindings_to("new")] == ["a", "b"]


def test_a_declared_queue_reads_as_its_name() -> None:
    assert str(DeclaredQueue(Queue(), "amq.gen-1", 0, 0)) == "amq.gen-1"


def test_a_queue_that_was_forgotten_meanwhile_is_not_renamed() -> None:
    topology = _known()
    topology.forget_queue("q")

    assert topology.rename_queue("q", "new") is None
    assert topology.queues == {}
