"""The ledger of the fan-out benchmark: whatever a client did not get once and in order is counted."""

from benchmarks.sockets.ledger import account

FIRST = 1_000_000
PING = b"\x81\x02{}"


def push(number: int) -> bytes:
    return b'{"push":{"channel":"public:bench","pub":{"data":{"n":%d},"offset":%d}}}' % (number, number)


def frame(*messages: bytes) -> bytes:
    payload = b"\n".join(messages)
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e%b%b" % (len(payload).to_bytes(2, "big"), payload)


def faults(*clients: list[tuple[float, bytes]], count: int) -> list[int]:
    found = account(clients, FIRST, count)
    return [found[name] for name in ("missing", "doubled", "disordered")]


def test_joined_frames_and_messages_are_told_apart_at_any_split() -> None:
    stream = frame(*map(push, range(FIRST, FIRST + 3))) + PING + frame(push(FIRST + 3))

    for cut in range(len(stream) + 1):
        found = account([[(1.0, stream[:cut]), (2.0, stream[cut:])]], FIRST, 4)

        assert (found["deliveries"], found["missing"], found["doubled"], found["disordered"]) == (4, 0, 0, 0)


def test_an_event_is_there_when_the_last_client_has_it() -> None:
    early = [(1.0, frame(push(FIRST), push(FIRST + 1)))]
    late = [(1.0, frame(push(FIRST))), (3.0, frame(push(FIRST + 1)))]

    assert account([early, late, early], FIRST, 2)["last"] == [1.0, 3.0]


def test_what_one_client_lacks_is_missing() -> None:
    whole = [(1.0, frame(push(FIRST), push(FIRST + 1)))]

    assert faults(whole, [(1.0, frame(push(FIRST)))], [], count=2) == [3, 0, 0]


def test_what_came_twice_is_doubled() -> None:
    assert faults([(1.0, frame(push(FIRST)) * 2)], count=1) == [0, 1, 0]


def test_what_came_in_another_order_is_told() -> None:
    assert faults([(1.0, frame(push(FIRST + 1), push(FIRST)))], count=2) == [0, 0, 1]
