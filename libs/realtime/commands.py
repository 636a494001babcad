"""What a client may ask beside its subscriptions, and the table of all commands."""

from __future__ import annotations

from collections.abc import Mapping

from libs.messaging import new_message_id
from libs.realtime import connecting, settings, subscribing
from libs.realtime.channels import Channel
from libs.realtime.codes import BAD_REQUEST, NOT_AVAILABLE, PERMISSION_DENIED, Refused
from libs.realtime.feed import Event
from libs.realtime.pages import page
from libs.realtime.payload import one_line
from libs.realtime.ports import Presence
from libs.realtime.protocol import (
    ConnectRequest,
    HistoryRequest,
    HistoryResult,
    PresenceRequest,
    PresenceResult,
    PresenceStatsRequest,
    PresenceStatsResult,
    PublishRequest,
    PublishResult,
    RefreshRequest,
    Request,
    RpcRequest,
    RpcResult,
    SubRefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from libs.realtime.session import Handler, Session

CLIENT_EVENT = "realtime.client.published"
"""The name of the event that a client's publication is."""
_READ_BACK = 0.4  # s; with the time that storing may take, less than a command has


async def publish(session: Session, request: PublishRequest) -> PublishResult:
    """Store what a client says to a channel; answered once the log has it."""
    channel = session.node.channels.asked(request.channel)
    if not request.data:
        raise Refused(BAD_REQUEST)
    if request.type or request.key:
        raise Refused(NOT_AVAILABLE)
    _check(session, channel, channel.rules.publish)
    try:
        data = one_line(request.data)
    except ValueError as error:  # those who speak JSON could not be given it
        raise Refused(BAD_REQUEST) from error
    if len(data) > session.node.settings.max_publication:
        raise Refused(BAD_REQUEST)
    info = session.info(session.subscriptions.get(channel.name))
    event = Event(CLIENT_EVENT, channel.name, data, new_message_id(), info)
    await session.node.log.append(event)
    # So that whoever asks for the history next finds it there. It is stored in any case.
    await session.node.feed.read_back(event.message_id, _READ_BACK)
    return PublishResult()


async def history(session: Session, request: HistoryRequest) -> HistoryResult:
    """What was said in a channel."""
    channel = session.node.channels.asked(request.channel)
    if not channel.rules.keeps_history:
        raise Refused(NOT_AVAILABLE)
    _check(session, channel, channel.rules.read_history)
    return await page(session.node, channel, request)


async def presence(session: Session, request: PresenceRequest) -> PresenceResult:
    """Who is in a channel."""
    asked = _present(session, session.node.channels.asked(request.channel))
    return PresenceResult(await asked.clients(request.channel))


async def presence_stats(session: Session, request: PresenceStatsRequest) -> PresenceStatsResult:
    """How many are in a channel."""
    asked = _present(session, session.node.channels.asked(request.channel))
    clients = await asked.clients(request.channel)
    return PresenceStatsResult(len(clients), len({one.user for one in clients.values()}))


async def rpc(session: Session, request: RpcRequest) -> RpcResult:
    """Call an operation on the client's behalf."""
    if session.node.rpc is None:
        raise Refused(NOT_AVAILABLE)
    return RpcResult(await session.node.rpc(request.method, request.data, session.caller()))


def _present(session: Session, channel: Channel) -> Presence:
    """Where to ask for a channel's presence; raises `Refused` where the client may not, or nobody keeps it."""
    if not channel.rules.presence or session.node.presence is None:
        raise Refused(NOT_AVAILABLE)
    _check(session, channel, channel.rules.read_presence)
    return session.node.presence


def _check(session: Session, channel: Channel, rule: settings.Who) -> None:
    """Raise `Refused` where the rule does not let the client."""
    subscribed = rule == "subscribers" and channel.name in session.subscriptions
    if rule != "clients" and not subscribed:
        raise Refused(PERMISSION_DENIED)


HANDLERS: Mapping[type[Request], Handler] = {
    ConnectRequest: connecting.connect,
    RefreshRequest: connecting.refresh,
    SubscribeRequest: subscribing.subscribe,
    UnsubscribeRequest: subscribing.unsubscribe,
    SubRefreshRequest: subscribing.sub_refresh,
    PublishRequest: publish,
    HistoryRequest: history,
    PresenceRequest: presence,
    PresenceStatsRequest: presence_stats,
    RpcRequest: rpc,
}
