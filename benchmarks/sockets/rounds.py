"""What several rounds of one contestant come to."""

from __future__ import annotations

from benchmarks.report import Fields, medians, rounded

FAULTS = ("missing", "doubled", "disordered", "closed")
"""Figures of a round that must be 0."""


def summary(rounds: list[Fields]) -> Fields:
    """CPU as the median of the rounds, deliveries and faults in sum, delays of all their events together."""
    found = {
        **medians(rounds, ("us_per_delivery",)),
        "rounds_us_per_delivery": [rounded(one["us_per_delivery"]) for one in rounds],
        **{name: sum(one[name] for one in rounds) for name in ("deliveries", "reads", *FAULTS)},
    }
    for name in rounds[0]["delays"]:
        delays = sorted(delay for one in rounds for delay in one["delays"][name])
        for share in (50, 99):
            found[f"p{share}_ms_{name}"] = rounded(delays[len(delays) * share // 100])
    return found
