"""Who may hear a channel, and how a client enters and leaves it without missing or doubling anything."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from libs.messaging import AppError
from libs.realtime.channels import Channel
from libs.realtime.codes import (
    ALREADY_SUBSCRIBED,
    BAD_COMMAND,
    BAD_REQUEST,
    INTERNAL,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    UNRECOVERABLE_POSITION,
    Disconnected,
    Refused,
)
from libs.realtime.feed import Recovery
from libs.realtime.membership import Subscription
from libs.realtime.ports import Present
from libs.realtime.protocol import (
    Position,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from libs.realtime.session import Session

_log = structlog.get_logger(__name__)
_CATCH_UP = 2.0  # seconds that a client may be ahead of this process


@dataclass(frozen=True, slots=True)
class Grant:
    """A client may hear a channel: until when (Unix seconds; None: as long as it is connected), and shown how."""

    expires_at: float | None = None
    info: bytes = b""


async def subscribe(session: Session, request: SubscribeRequest) -> SubscribeResult:
    """Let a client hear a channel."""
    channel = session.node.channels.asked(request.channel)
    if request.delta not in {"", "fossil"}:
        raise Disconnected(BAD_COMMAND)
    if channel.name in session.subscriptions:
        raise Refused(ALREADY_SUBSCRIBED)
    if len(session.subscriptions) >= session.node.settings.max_channels:
        raise Refused(LIMIT_EXCEEDED)
    if request.type:  # maps and polls
        raise Refused(NOT_AVAILABLE)
    if request.tf is not None:  # a filter by tags
        raise Refused(BAD_REQUEST)
    grant = _granted(session, channel)
    await prepare(session, channel, request, grant)
    return enter(session, channel, request, grant)


async def unsubscribe(session: Session, request: UnsubscribeRequest) -> UnsubscribeResult:
    """Let a client hear a channel no longer; it need not have heard it."""
    session.unsubscribe(request.channel)
    return UnsubscribeResult()


async def prepare(session: Session, channel: Channel, request: SubscribeRequest, grant: Grant) -> None:
    """All that takes time before a client can enter; raises `Refused` where its position cannot be judged now."""
    node = session.node
    if channel.rules.recovery and not node.feed.ready:
        raise Refused(INTERNAL)
    same_log = request.recover and channel.rules.recovery and request.epoch == node.feed.position.epoch
    # A client that has seen more of the log than this process is only early.
    if same_log and not await node.feed.reach(request.offset, _CATCH_UP):
        raise Refused(INTERNAL)
    if channel.rules.presence and node.presence is not None:
        try:
            await node.presence.renew(
                [Present(channel.name, session.info(Subscription(channel, info=grant.info)))]
            )
        except AppError as error:
            _log.warning("presence_not_entered", channel=channel.name, reason=str(error))


def enter(
    session: Session, channel: Channel, request: SubscribeRequest, grant: Grant, *, server_side: bool = False
) -> SubscribeResult:
    """Subscribe, with what was missed. Nothing is awaited: what is published later comes after the answer."""
    node, rules = session.node, channel.rules
    if session.closed:
        raise Refused(INTERNAL)
    result = _result(session, channel, request, grant)
    subscription = Subscription(
        channel,
        server_side=server_side,
        positioned=rules.recovery,
        expires_at=grant.expires_at,
        info=grant.info,
    )
    session.subscriptions[channel.name] = subscription
    node.hub.join(channel.name, session.connection, watching=rules.join_leave)
    if rules.join_leave:
        node.announce(channel.name, session.info(subscription), joined=True)
    return result


def _result(session: Session, channel: Channel, request: SubscribeRequest, grant: Grant) -> SubscribeResult:
    """What the client is told; raises `Refused` where it wants all that it missed or nothing, and cannot have it."""
    ttl = max(1, round(grant.expires_at - time.time())) if grant.expires_at is not None else 0
    if not channel.rules.recovery:
        return SubscribeResult(expires=bool(ttl), ttl=ttl)
    feed = session.node.feed
    recovery = Recovery(recovered=False, position=feed.position)
    if request.recover:
        recovery = feed.recover(channel, Position(request.offset, request.epoch))
        if not recovery.recovered and request.flag & SubscribeRequest.REJECT_UNRECOVERED:
            raise Refused(UNRECOVERABLE_POSITION)
    return SubscribeResult(
        expires=bool(ttl),
        ttl=ttl,
        recoverable=True,
        positioned=True,
        epoch=recovery.position.epoch,
        offset=recovery.position.offset,
        publications=recovery.publications,
        recovered=recovery.recovered,
        was_recovering=request.recover,
    )


def _granted(session: Session, channel: Channel) -> Grant:
    """Why the client may hear the channel; raises `Refused` where nothing lets it in."""
    rules = channel.rules.subscribe
    who = session.who
    if who is None or channel.private:
        raise Refused(PERMISSION_DENIED)
    if "owner" in rules and channel.names(who.user) and (who.identity or channel.rules.foreign_users):
        return Grant()
    if "authenticated" in rules and who.user and not channel.limited:
        return Grant()
    raise Refused(PERMISSION_DENIED)
