"""What is kept, and what is known of what is not."""

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.realtime.channels import Channel
from libs.realtime.history import History
from libs.realtime.protocol import Publication
from libs.realtime.settings import Namespace

RULES = Namespace(history_size=3, history_seconds=60)
LARGE = 1 << 30


def channel(name: str, rules: Namespace = RULES, namespace: str = "n") -> Channel:
    return Channel(name, namespace, rules)


def kept(history: History, name: str, after: int = 0) -> list[int]:
    return [one.offset for one in history.after(name, after)]


def test_the_latest_of_each_channel_are_kept() -> None:
    history = History(LARGE)
    for offset in range(1, 6):
        history.add(channel("a"), Publication(b"1", offset=offset), at=0, now=0)
    history.add(channel("b"), Publication(b"1", offset=6), at=0, now=0)

    assert kept(history, "a") == [3, 4, 5]
    assert kept(history, "a", after=4) == [5]
    assert kept(history, "b") == [6]
    assert (history.dropped("a"), history.dropped("b")) == (2, 0)


def test_what_is_too_old_is_dropped_and_remembered() -> None:
    history = History(LARGE)
    history.add(channel("a"), Publication(b"1", offset=1), at=0, now=0)
    history.add(channel("a"), Publication(b"1", offset=2), at=30, now=30)

    history.trim(60)

    assert kept(history, "a") == [2]
    assert history.dropped("a") == 1


def test_namespaces_forget_at_their_own_pace() -> None:
    history = History(LARGE)
    short = Namespace(history_size=3, history_seconds=5)
    history.add(channel("long"), Publication(b"1", offset=1), at=0, now=0)
    history.add(channel("short", short, "s"), Publication(b"1", offset=2), at=0, now=0)

    history.trim(10)

    assert (kept(history, "long"), kept(history, "short")) == ([1], [])


def test_beyond_the_total_the_oldest_of_all_goes_first() -> None:
    history = History(10_000)
    for offset in range(1, 11):
        history.add(channel(f"c{offset}"), Publication(bytes(100), offset=offset), at=0, now=0)

    assert history.size <= 10_000
    assert [kept(history, f"c{offset}") for offset in (4, 5)] == [[], [5]]
    assert history.dropped("c4") == 4


def test_more_channels_than_are_remembered_raise_the_floor() -> None:
    history = History(5_000)  # of which an eighth holds two of them
    for offset in range(1, 5):
        history.add(channel(f"c{offset}"), Publication(b"1", offset=offset), at=0, now=0)

    history.trim(60)

    assert history.dropped("c4") == 4
    assert history.dropped("c1") == history.dropped("never seen") == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2000)), max_size=60))
def test_the_bounds_hold_and_nothing_is_dropped_unnoticed(published: list[tuple[str, int]]) -> None:
    history = History(7_000)
    offsets: dict[str, list[int]] = {name: [] for name in "abc"}
    for offset, (name, size) in enumerate(published, 1):
        history.add(channel(name), Publication(bytes(size), offset=offset), at=offset, now=offset)
        offsets[name].append(offset)

    assert history.size <= 7_000
    for name, all_of_it in offsets.items():
        assert len(kept(history, name)) <= 3
        assert kept(history, name) == [one for one in all_of_it if one > history.dropped(name)]


@pytest.mark.parametrize("size", [1, 60, 2000], ids="{} bytes".format)
@pytest.mark.parametrize("per_channel", [1, 10, 100])
@pytest.mark.parametrize("bound", [1 << 20, LARGE], ids=["dropping", "keeping"])
def test_what_it_says_that_it_takes_is_what_it_takes(bound: int, per_channel: int, size: int) -> None:
    rules = Namespace(history_size=100, history_seconds=3600)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    history = History(bound)
    for offset in range(1, 6_001):
        one = channel(f"public:channel-number-{offset // per_channel:08d}", rules)
        history.add(one, Publication(bytes(size), offset=offset), at=0, now=0)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert history.size <= bound
    assert taken == pytest.approx(history.size, rel=0.25)
