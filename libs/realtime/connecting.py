"""Who a client is: connect, and the refresh of the token it is known by."""

from __future__ import annotations

from dataclasses import replace

from libs.realtime import codes
from libs.realtime.codes import Disconnected, Refused
from libs.realtime.grants import Grant, seconds_left
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
from libs.realtime.subscribing import arrive, check_named, enter, prepare, withdraw

VERSION = "gatehouse"


async def connect(session: Session, request: ConnectRequest) -> ConnectResult:
    """Let a client in, and subscribe it to the channels that are its own."""
    # A client whose token came with the handshake, in a cookie, has none to refresh: it connects again when told to.
    refreshes = bool(request.token) or not session.handshake_token
    who = await session.node.credentials.connection(request.token or session.handshake_token)
    who = replace(who, refreshable=refreshes)
    session.become(who)  # at once after the check: a revocation that comes now finds the session
    session.node.wheel.add(session)
    subs = await _personal(session, who, request)
    settings = session.node.settings
    path = session.connection.return_path
    return ConnectResult(
        client=session.id,
        version=VERSION,
        expires=refreshes and who.expires_at is not None,
        ttl=seconds_left(who.expires_at) if refreshes else 0,
        subs=subs,
        ping=round(settings.ping_interval),
        pong=True,
        session=path.session if path else "",
        node=path.node if path else "",
    )


async def refresh(session: Session, request: RefreshRequest) -> RefreshResult:
    """Take a newer token of the same user; an expired one ends the connection, so that the client gets another."""
    if not request.token:
        raise Disconnected(codes.BAD_COMMAND)
    try:
        who = await session.node.credentials.connection(request.token)
    except Refused as error:
        if error.error is codes.TOKEN_EXPIRED:
            raise Disconnected(codes.EXPIRED) from error
        raise
    session.become(who)
    return RefreshResult(
        client=session.id,
        version=VERSION,
        expires=who.expires_at is not None,
        ttl=seconds_left(who.expires_at),
    )


async def _personal(session: Session, who: Who, request: ConnectRequest) -> dict[str, SubscribeResult]:
    """Subscribe the client to its own channels, from where it says that it was."""
    own = session.node.channels.personal(who.user)
    found = {one.name: one for one in own if who.identity is not None or one.rules.foreign_users}
    named = {name: session.node.channels.asked(name) for name in who.channels}
    for channel in named.values():
        check_named(channel, who)
    found |= named
    if len(found) > session.node.settings.max_channels:
        raise Disconnected(codes.CHANNEL_LIMIT)
    asked = [
        (one, request.subs.get(name, SubscribeRequest()), who.channels.get(name, Grant()))
        for name, one in found.items()
    ]
    try:
        for channel, subscribe, _ in asked:
            await prepare(session, channel, subscribe)
        await arrive(session, [(channel, grant) for channel, _, grant in asked])
        # Nothing is awaited from here to the reply, so that no publication overtakes it.
        return {
            channel.name: enter(session, channel, subscribe, grant, server_side=True)
            for channel, subscribe, grant in asked
        }
    finally:
        withdraw(session, found.values())
