"""What the server API does: it publishes, reads and disconnects, whatever the namespace lets clients do."""

from __future__ import annotations

import hashlib

from pydantic_core import to_json

from libs.messaging import Unavailable, new_message_id
from libs.realtime.channels import Channel
from libs.realtime.codes import (
    BAD_REQUEST,
    FORCED,
    NOT_AVAILABLE,
    Disconnected,
    Refused,
)
from libs.realtime.disconnecting import DisconnectAsked, Disconnecting
from libs.realtime.feed import Event
from libs.realtime.json_codec import dump
from libs.realtime.node import Node
from libs.realtime.pages import page
from libs.realtime.payload import one_line
from libs.realtime.protocol import HistoryRequest, Position, PresenceResult
from libs.realtime.server_api.requests import DisconnectUser, History, Presence, Publish

API_EVENT = "realtime.api.published"
"""The name of the event that a publication of the server API is."""
_READ_BACK = 2.0  # s


class Methods:
    """Each takes a request and gives the result's JSON; raises `Refused` or `AppError`."""

    def __init__(self, node: Node, disconnecting: Disconnecting) -> None:
        self._node = node
        self._disconnecting = disconnecting

    async def publish(self, request: Publish) -> bytes:
        """Store a publication; the answer means that it is kept, and says where, in a channel with a history."""
        channel = self._channel(request.channel)
        try:
            data = one_line(request.payload())
        except ValueError as error:  # clients could not be given it
            raise Refused(BAD_REQUEST) from error
        if len(data) > self._node.settings.max_publication:
            raise Refused(BAD_REQUEST)
        message_id = _message_id(request)
        await self._node.log.append(Event(API_EVENT, channel.name, data, message_id))
        offset = await self._node.feed.read_back(message_id, _READ_BACK)
        if not offset or not channel.rules.keeps_history:
            return b"{}"
        return to_json({"offset": offset, "epoch": self._node.feed.position.epoch})

    async def history(self, request: History) -> bytes:
        """What was said in a channel."""
        channel = self._channel(request.channel)
        since = Position(request.since.offset, request.since.epoch) if request.since else None
        asked = HistoryRequest(request.channel, request.limit, since, request.reverse)
        return dump(await page(self._node, channel, asked))

    async def presence(self, request: Presence) -> bytes:
        """Who is in a channel."""
        channel = self._channel(request.channel)
        if not channel.rules.presence:
            raise Refused(NOT_AVAILABLE)
        if self._node.presence is None:
            raise Unavailable("presence is not available now")
        return dump(PresenceResult(await self._node.presence.clients(channel.name)))

    async def disconnect(self, request: DisconnectUser) -> bytes:
        """Close the connections of a user on every gateway process."""
        if not request.user or request.session:
            raise Refused(BAD_REQUEST)
        closing = request.closing(FORCED)
        await self._disconnecting.ask(
            DisconnectAsked(
                user=request.user,
                client=request.client,
                whitelist=request.whitelist,
                code=closing.code,
                reason=closing.reason,
            )
        )
        return b"{}"

    def _channel(self, name: str) -> Channel:
        try:
            return self._node.channels.asked(name)
        except Disconnected as error:
            raise Refused(BAD_REQUEST) from error


def _message_id(request: Publish) -> str:
    """The same for the same key in the same channel: gateways drop the second one (within the ids they remember)."""
    if not request.idempotency_key:
        return new_message_id()
    return hashlib.sha256(f"{request.channel}\n{request.idempotency_key}".encode()).hexdigest()
