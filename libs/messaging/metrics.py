"""What messaging counts, for Prometheus."""

from prometheus_client import Counter

LATE_REPLIES = Counter(
    "gatehouse_rpc_late_replies", "Replies that came after their caller had stopped waiting."
)
SKEWED_DEADLINES = Counter(
    "gatehouse_rpc_skewed_deadlines", "Requests whose deadline header says more than their expiration."
)
INTERRUPTED_REQUESTS = Counter(
    "gatehouse_rpc_interrupted_requests",
    "Redelivered requests that were answered instead of being run again.",
)
DEAD_LETTERS = Counter("gatehouse_dead_letters", "Events that were dead-lettered.", ["service"])
