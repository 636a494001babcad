"""Pages of a channel's history."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile

from libs.realtime.channels import Channel
from libs.realtime.codes import BAD_REQUEST, INTERNAL, NOT_AVAILABLE, Refused
from libs.realtime.node import Node
from libs.realtime.protocol import HistoryRequest, HistoryResult, Publication

_MOST = 300  # publications in one page


async def page(node: Node, channel: Channel, request: HistoryRequest) -> HistoryResult:
    """What ``request`` asks for: at most 300 publications, and as many bytes as one client is given at once.

    Raises `Refused`: 108 without a history, 107 for what makes no sense, 112 for another epoch, 100 while the log is not read.
    """
    if not channel.rules.keeps_history:
        raise Refused(NOT_AVAILABLE)
    if request.reverse and request.since is not None and request.since.offset == 0:
        raise Refused(BAD_REQUEST)
    feed = node.feed
    if not feed.ready:
        raise Refused(INTERNAL)
    since = request.since
    if since is not None and since.epoch == feed.position.epoch:
        await feed.reach(since.offset, node.catch_up)
        if not feed.ready:  # lost meanwhile
            raise Refused(INTERNAL)
    limit = _MOST if request.limit < 0 else min(request.limit, _MOST)
    found = _fitting(feed.history(channel, request, limit), node.settings.max_pending // 2)
    return HistoryResult(found, feed.position.epoch, feed.position.offset)


def _fitting(publications: list[Publication], most: int) -> Sequence[Publication]:
    """As many of the first ones as ``most`` bytes hold, and one in any case, so that pages lead on."""
    sizes = accumulate(len(one.data) for one in publications)
    fitting = sum(1 for _ in takewhile(lambda size: size <= most, sizes))
    return publications[: max(1, fitting)]
