"""How a client shows itself to the others in its channels: present while it is subscribed, announced when it comes and goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from libs.realtime.allowance import Allowance
from libs.realtime.membership import Subscription
from libs.realtime.ports import Present

if TYPE_CHECKING:
    from libs.realtime.session import Session

_SECONDS_TO_ARRIVE = 60.0  # in which the others hear of as many arrivals as a connection may have channels


def entries(session: Session, subscriptions: Iterable[Subscription]) -> list[Present]:
    """What presence says of a client in those of its channels that have any."""
    return [
        Present(one.channel.name, session.info(one)) for one in subscriptions if one.channel.rules.presence
    ]


def appear(session: Session, subscription: Subscription) -> None:
    """Tell the others in a channel that the client came; of one that comes too often they hear no more."""
    if not subscription.channel.rules.tells_who_moves:
        return
    most = session.node.settings.max_channels
    if session.arrivals is None:
        session.arrivals = Allowance(most)
    if session.arrivals.take(1, most / _SECONDS_TO_ARRIVE, most):
        subscription.announced = True
        session.node.announcements.tell(subscription.channel.name, session.info(subscription), joined=True)


def disappear(session: Session, subscriptions: list[Subscription]) -> None:
    """Take the client out of its channels, and tell those whom its coming was told."""
    session.node.attendance.remove(entries(session, subscriptions))
    for one in subscriptions:
        if one.announced:
            session.node.announcements.tell(one.channel.name, session.info(one), joined=False)
