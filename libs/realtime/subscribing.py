"""Who may hear a channel, and how a client enters and leaves it without missing or doubling anything."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import from_json, to_json

from libs.realtime.appearance import appear, entries
from libs.realtime.channels import Channel
from libs.realtime.codes import (
    ALREADY_SUBSCRIBED,
    BAD_COMMAND,
    BAD_REQUEST,
    INTERNAL,
    INVALID_TOKEN,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    SUBSCRIPTION_EXPIRED,
    TOKEN_EXPIRED,
    UNRECOVERABLE_POSITION,
    Disconnected,
    Refused,
)
from libs.realtime.deltas import whole
from libs.realtime.doorkeeper import Doorkeeper, SubscribeQuestion
from libs.realtime.feed import Recovery
from libs.realtime.grants import Grant, check_not_over, seconds_left
from libs.realtime.membership import Subscription, Who
from libs.realtime.ports import Present
from libs.realtime.protocol import (
    Position,
    SubRefreshRequest,
    SubRefreshResult,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from libs.realtime.session import Session
from libs.realtime.tokens import TokenOver, TokenRefused

_FOSSIL = "fossil"


async def subscribe(session: Session, request: SubscribeRequest) -> SubscribeResult:
    """Let a client hear a channel."""
    channel = session.node.channels.asked(request.channel)
    if request.delta not in {"", _FOSSIL}:
        raise Disconnected(BAD_COMMAND)
    if channel.name in session.subscriptions:
        raise Refused(ALREADY_SUBSCRIBED)
    if len(session.subscriptions) >= session.node.settings.max_channels:
        raise Refused(LIMIT_EXCEEDED)
    if request.type:  # maps and polls
        raise Refused(NOT_AVAILABLE)
    if request.tf is not None:  # a filter by tags
        raise Refused(BAD_REQUEST)
    grant = await _granted(session, channel, request)
    check_not_over(grant.expires_at)
    try:
        await prepare(session, channel, request)
        await arrive(session, [(channel, grant)])
        return enter(session, channel, request, grant)
    finally:
        withdraw(session, [channel])


async def unsubscribe(session: Session, request: UnsubscribeRequest) -> UnsubscribeResult:
    """Let a client hear a channel no longer; it need not have heard it."""
    if not request.channel:
        raise Disconnected(BAD_COMMAND)
    session.unsubscribe(request.channel)
    return UnsubscribeResult()


async def sub_refresh(session: Session, request: SubRefreshRequest) -> SubRefreshResult:
    """Take a newer token for a subscription; one that is no good costs the connection."""
    if not request.channel:
        raise Disconnected(BAD_COMMAND)
    subscription = session.subscriptions.get(request.channel)
    if subscription is None:
        raise Refused(PERMISSION_DENIED)
    if request.type:  # polls
        raise Refused(NOT_AVAILABLE)
    if "token" not in subscription.channel.rules.subscribe:
        raise Disconnected(BAD_COMMAND)
    if not request.token or session.who is None:
        raise Refused(BAD_REQUEST)
    try:
        claims = session.node.credentials.subscription(
            request.token, user=session.who.user, channel=request.channel, client=session.id
        )
    except TokenOver as error:
        raise Disconnected(SUBSCRIPTION_EXPIRED) from error
    except TokenRefused as error:
        raise Disconnected(INVALID_TOKEN) from error
    check_not_over(claims.expires_at)
    subscription.expires_at = claims.expires_at
    subscription.info = claims.about
    return SubRefreshResult(expires=claims.expires_at is not None, ttl=seconds_left(claims.expires_at))


async def prepare(session: Session, channel: Channel, request: SubscribeRequest) -> None:
    """Wait until a client's position can be judged; raises `Refused` where it cannot be now."""
    node = session.node
    if channel.rules.recovery and not node.feed.ready:
        raise Refused(INTERNAL)
    same_log = request.recover and channel.rules.recovery and request.epoch == node.feed.position.epoch
    # A client that has seen more of the log than this process is only early.
    if same_log and not await node.feed.reach(request.offset, node.catch_up):
        raise Refused(INTERNAL)


async def arrive(session: Session, granted: Iterable[tuple[Channel, Grant]]) -> None:
    """Be present in channels before entering them, so that whoever sees the client enter finds it there."""
    arriving = [Subscription(channel, info=grant.info) for channel, grant in granted]
    await session.node.attendance.enter(entries(session, arriving))


def withdraw(session: Session, channels: Iterable[Channel]) -> None:
    """Take a client out of the presence of channels that it could not enter after all."""
    missed = [one for one in channels if one.rules.presence and one.name not in session.subscriptions]
    session.node.attendance.remove([Present(one.name, session.info()) for one in missed])


def enter(
    session: Session, channel: Channel, request: SubscribeRequest, grant: Grant, *, server_side: bool = False
) -> SubscribeResult:
    """Subscribe, with what was missed. Nothing is awaited: what is published later comes after the answer."""
    node, rules = session.node, channel.rules
    if session.closed or (rules.recovery and not node.feed.ready):  # lost while the client was entering
        raise Refused(INTERNAL)
    result = _result(session, channel, request, grant)
    subscription = Subscription(
        channel,
        server_side=server_side,
        positioned=rules.recovery,
        expires_at=grant.expires_at,
        refreshable=grant.refreshable,
        info=grant.info,
    )
    session.subscriptions[channel.name] = subscription
    node.hub.join(channel.name, session.connection, watching=rules.tells_who_moves, delta=result.delta)
    appear(session, subscription)
    return result


def _result(session: Session, channel: Channel, request: SubscribeRequest, grant: Grant) -> SubscribeResult:
    """What the client is told; raises `Refused` where it wants all that it missed or nothing, and cannot have it."""
    if not channel.rules.recovery:
        return SubscribeResult(expires=bool(grant.ttl), ttl=grant.ttl, data=grant.data)
    feed = session.node.feed
    recovery = Recovery(recovered=False, position=feed.position)
    if request.recover:
        recovery = feed.recover(channel, Position(request.offset, request.epoch))
        if not recovery.recovered and request.flag & SubscribeRequest.REJECT_UNRECOVERED:
            raise Refused(UNRECOVERABLE_POSITION)
    delta = request.delta == _FOSSIL and channel.rules.delta
    missed = recovery.publications
    if delta:
        missed = [whole(session.connection.format.codec, one) for one in missed]
    return SubscribeResult(
        expires=bool(grant.ttl),
        ttl=grant.ttl,
        data=grant.data,
        recoverable=True,
        positioned=True,
        epoch=recovery.position.epoch,
        offset=recovery.position.offset,
        publications=missed,
        recovered=recovery.recovered,
        was_recovering=request.recover,
        delta=delta,
    )


def check_named(channel: Channel, who: Who) -> None:
    """Raise `Refused` where a connection token names a channel that neither takes tokens nor lets the client in anyway."""
    if not (_takes_tokens(channel, who) or _is_open(channel, who)):
        raise Refused(PERMISSION_DENIED)


async def _granted(session: Session, channel: Channel, request: SubscribeRequest) -> Grant:
    """Why the client may hear the channel; raises `Refused` where nothing lets it in."""
    who, doorkeeper = session.who, session.node.doorkeeper
    if who is None:
        raise Refused(PERMISSION_DENIED)
    if request.token and _takes_tokens(channel, who):
        return _by_token(session, channel, request.token, who.user)
    if _is_open(channel, who):
        return Grant()
    asks = "service" in channel.rules.subscribe and not channel.private and not channel.limited
    if asks and doorkeeper is not None:
        return await _by_service(session, channel, request, doorkeeper)
    raise Refused(PERMISSION_DENIED)


def _takes_tokens(channel: Channel, who: Who) -> bool:
    """Whether a token may let the client in; in personal channels only accounts, unless others are welcome."""
    rules = channel.rules
    at_home = not rules.personal or rules.foreign_users or who.identity is not None
    return "token" in rules.subscribe and at_home


def _is_open(channel: Channel, who: Who) -> bool:
    """Whether the client may hear the channel for what it is, whatever anybody says."""
    rules = channel.rules.subscribe
    if channel.private:
        return False
    if channel.limited:
        known = who.identity is not None or channel.rules.foreign_users
        return "owner" in rules and known and channel.names(who.user)
    return "anyone" in rules or ("authenticated" in rules and bool(who.user))


async def _by_service(
    session: Session, channel: Channel, request: SubscribeRequest, doorkeeper: Doorkeeper
) -> Grant:
    try:
        data = from_json(request.data) if request.data else None
    except ValueError as error:
        raise Refused(BAD_REQUEST) from error
    question = SubscribeQuestion(channel=channel.name, client=session.id, data=data)
    answer = await doorkeeper(channel, question, session.caller())
    return Grant(answer.expires_at, b"" if answer.info is None else to_json(answer.info))


def _by_token(session: Session, channel: Channel, token: str, user: str) -> Grant:
    try:
        claims = session.node.credentials.subscription(
            token, user=user, channel=channel.name, client=session.id
        )
    except TokenOver as error:
        raise Refused(TOKEN_EXPIRED) from error
    except TokenRefused as error:
        raise Refused(PERMISSION_DENIED) from error
    return Grant(claims.expires_at, claims.about, claims.told, refreshable=True)
