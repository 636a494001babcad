"""Who a client is: connect, and the refresh of the token it is known by."""

from __future__ import annotations

import time
from http import HTTPStatus

from libs.domain.auth import TokenExpired
from libs.messaging import AppError
from libs.realtime import codes
from libs.realtime.codes import Disconnected, Refused
from libs.realtime.membership import Who
from libs.realtime.protocol import (
    ConnectRequest,
    ConnectResult,
    RefreshRequest,
    RefreshResult,
    SubscribeRequest,
    SubscribeResult,
)
from libs.realtime.session import Session
from libs.realtime.subscribing import Grant, enter, prepare

VERSION = "gatehouse"


async def connect(session: Session, request: ConnectRequest) -> ConnectResult:
    """Let a client in, and subscribe it to the channels that are its own."""
    who = await _verified(session, request.token)
    session.become(who)  # at once after the check: a revocation that comes now finds the session
    session.node.wheel.add(session)
    subs = await _personal(session, who, request)
    settings = session.node.settings
    return ConnectResult(
        client=session.id,
        version=VERSION,
        expires=who.expires_at is not None,
        ttl=_seconds_left(who),
        subs=subs,
        ping=round(settings.ping_interval),
        pong=True,
    )


async def refresh(session: Session, request: RefreshRequest) -> RefreshResult:
    """Take a newer token of the same user; an expired one ends the connection, so that the client gets another."""
    if not request.token:
        raise Disconnected(codes.BAD_COMMAND)
    try:
        who = await _verified(session, request.token)
    except Refused as error:
        if error.error is codes.TOKEN_EXPIRED:
            raise Disconnected(codes.EXPIRED) from error
        raise
    session.become(who)
    return RefreshResult(
        client=session.id, version=VERSION, expires=who.expires_at is not None, ttl=_seconds_left(who)
    )


async def _verified(session: Session, token: str) -> Who:
    """Whom a token names; raises what the protocol says about a token that is no good."""
    if not token:
        raise Disconnected(codes.BAD_COMMAND)
    try:
        verified = await session.node.verify(token)
    except TokenExpired as error:
        raise Refused(codes.TOKEN_EXPIRED) from error
    except AppError as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise Disconnected(codes.INVALID_TOKEN) from error
        if error.status == HTTPStatus.FORBIDDEN:
            raise Disconnected(codes.FORBIDDEN) from error
        raise
    return Who(verified.identity.sub, verified.identity, verified.expires)


async def _personal(session: Session, who: Who, request: ConnectRequest) -> dict[str, SubscribeResult]:
    """Subscribe the client to its own channels, from where it says that it was."""
    channels = session.node.channels.personal(who.user)
    own = [one for one in channels if who.identity is not None or one.rules.foreign_users]
    asked = [(channel, request.subs.get(channel.name, SubscribeRequest())) for channel in own]
    try:
        for channel, subscribe in asked:
            await prepare(session, channel, subscribe, Grant())
        # Nothing is awaited from here to the reply, so that no publication overtakes it.
        return {
            channel.name: enter(session, channel, subscribe, Grant(), server_side=True)
            for channel, subscribe in asked
        }
    except Refused as error:
        raise Disconnected(codes.INTERNAL_ERROR) from error


def _seconds_left(who: Who) -> int:
    """Seconds until the client should refresh its token; at least one, since 0 would read as never."""
    return 0 if who.expires_at is None else max(1, round(who.expires_at - time.time()))
