from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from libs.amqp import Backoff


@given(st.floats(0.01, 5), st.floats(1, 10), st.floats(5, 60))
def test_delays_grow_to_the_maximum_and_are_jittered_below_their_step(
    initial: float, factor: float, maximum: float
) -> None:
    delays = list(islice(Backoff(initial=initial, factor=factor, maximum=maximum).delays(), 20))

    for attempt, delay in enumerate(delays):
        step = min(initial * factor**attempt, maximum)
        assert step / 2 <= delay * 1.0001
        assert delay <= step * 1.0001


def test_two_series_differ() -> None:
    assert list(islice(Backoff().delays(), 5)) != list(islice(Backoff().delays(), 5))
