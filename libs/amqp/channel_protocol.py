"""One channel's side of the protocol, without I/O.

It outlives what the broker does to it. When the broker closes the channel because one method was wrong, that
method's call gets the error; the channel is opened again at once, in the same write, with its confirm mode,
its prefetch and its consumers, and the calls that were queued behind the wrong one, which the broker has
thrown away unread, are sent again. Nobody else notices. When the whole connection is lost, `detach` ends
what was under way and `attach` opens the channel on the next one.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from libs.amqp.acks import Acks
from libs.amqp.calls import Call, Calls, Resolve, nothing
from libs.amqp.confirms import Confirms, Outcome
from libs.amqp.delivery import Delivery
from libs.amqp.errors import (
    AmqpError,
    ChannelClosed,
    ChannelInterrupted,
    ConnectionLost,
    Nacked,
    ProtocolError,
    Returned,
    again,
    refusal,
)
from libs.amqp.frames import OVERHEAD, RETURN, TAG, message
from libs.amqp.methods import Basic, ChannelClass, Confirm, Method, decode_method, encode_method
from libs.amqp.outgoing import ClosedOutgoing, Outgoing
from libs.amqp.subscription import Subscription

logger = logging.getLogger(__name__)

_PUBLISH: Final = Basic.Publish.index


class ChannelProtocol:
    """A channel by its number.

    `on_lost` is told of a consumer that the broker has ended or would not restore; `on_confirmed`, while set,
    is called whenever publications have got their outcome.
    """

    def __init__(self, number: int, *, prefetch: int, confirming: bool) -> None:
        self.number = number
        self.largest = 0
        self.outgoing: Outgoing = ClosedOutgoing(ConnectionLost("not connected"))
        self.confirms = Confirms() if confirming else None
        self.subscriptions: dict[bytes, Subscription] = {}
        self.on_lost: Callable[[Subscription, AmqpError], None] | None = None
        self.on_confirmed: Callable[[], None] | None = None
        self._answers_cancel = False
        self._prefetch = prefetch
        self._acks = Acks(number, self.outgoing)
        self._calls = Calls()
        self._ready: Resolve | None = None

    def attach(self, outgoing: Outgoing, frame_max: int, *, answers_cancel: bool, ready: Resolve) -> None:
        """Open the channel on a new connection; `ready` hears when everything on it has been answered."""
        self.outgoing = outgoing
        self.largest = frame_max - OVERHEAD
        self._answers_cancel = answers_cancel
        self._ready = ready
        self._open()

    def detach(self, error: ConnectionLost) -> None:
        """The connection is gone, or the channel closed: end what was under way."""
        self.outgoing = ClosedOutgoing(error)
        self._acks.retire()
        if self.confirms is not None:
            self.confirms.fail(None, error)
            self.confirms = Confirms()
        self._calls.fail(error)
        if self._ready is not None:
            ready, self._ready = self._ready, None
            ready(None, error)

    @property
    def is_attached(self) -> bool:
        """True while it has a connection."""
        return not isinstance(self.outgoing, ClosedOutgoing)

    def publish(self, method: bytes, flags: int, fields: bytes, body: bytes, outcome: Outcome) -> None:
        """Send a message whose `basic.publish` frame and properties are encoded."""
        outgoing = self.outgoing
        if outgoing.obstacle is not None:
            raise outgoing.obstacle()
        data = message(method, self.number, flags, fields, body, self.largest)
        if self.confirms is not None:
            self.confirms.add(outcome, (method, flags, fields, body))
        elif outcome is not None:
            raise ValueError("this channel has no confirms")
        outgoing.write(data)

    def call(self, method: type[Method], answer: type[Method], resolve: Resolve, **arguments: Any) -> None:
        """Send a method that will be answered."""
        self._issue(Call(method.index, answer, encode_method(self.number, method, **arguments), resolve))

    def subscribe(self, subscription: Subscription, resolve: Resolve) -> None:
        """Start a consumer; its deliveries may come before `resolve` is called."""
        frame = self._consume_frame(subscription)
        self.subscriptions[subscription.tag.encode()] = subscription

        def answered(method: Method | None, error: AmqpError | None) -> None:
            subscription.active = error is None and not subscription.cancelled
            if error is not None:
                self.subscriptions.pop(subscription.tag.encode(), None)
            resolve(method, error)

        self._consume(subscription, frame, answered, restoring=False)

    def unsubscribe(self, subscription: Subscription, resolve: Resolve) -> None:
        """Stop a consumer. Deliveries may come until `resolve` is called."""
        subscription.active = False

        def answered(method: Method | None, error: AmqpError | None) -> None:
            self.subscriptions.pop(subscription.tag.encode(), None)
            resolve(method, error)

        frame = encode_method(self.number, Basic.Cancel, consumer_tag=subscription.tag)
        self._issue(Call(Basic.Cancel.index, Basic.CancelOk, frame, answered, consumer=subscription.tag))

    def close(self, resolve: Resolve) -> None:
        """Close the channel, after the acks that are due."""
        self.settle()
        self.call(ChannelClass.Close, ChannelClass.CloseOk, resolve, reply_code=200)

    def settle(self) -> None:
        """Send the acks that are due before anything else is sent."""
        self.outgoing.write(self._acks.frames())

    def on_delivery(
        self, data: bytes, start: int, stop: int, flags: int, fields: bytes, body: bytes, /
    ) -> None:
        """`basic.deliver`: hand the message to its consumer's callback."""
        at = start + 1 + data[start]
        subscription = self.subscriptions.get(data[start + 1 : at])
        if at + TAG.size > stop:
            raise ProtocolError(502, "a delivery that cannot be decoded")
        tag, bits = TAG.unpack_from(data, at)
        acks: Acks | None = self._acks
        if subscription is None:
            logger.warning("channel %d: a delivery for no consumer", self.number)
            return
        if subscription.no_ack:
            self._acks.skip(tag)
            acks = None
        try:
            subscription.callback(Delivery(tag, bits, data[at + 9 : stop], flags, fields, body, acks))
        except Exception:
            logger.exception(
                "the callback of consumer %s failed; its delivery stays unacked", subscription.tag
            )

    def on_return(
        self, data: bytes, start: int, stop: int, flags: int, fields: bytes, body: bytes, /
    ) -> None:
        """`basic.return`: fail the publication that came back."""
        method = cast("Basic.Return", decode_method(RETURN + data[start:stop]))
        error = Returned(
            method.reply_code or 0, method.reply_text, method.exchange or "", method.routing_key or ""
        )
        if self.confirms is None:
            logger.warning("channel %d: a publication came back: %s", self.number, error)
        else:
            self.confirms.give_back(error, flags, fields, body)

    def on_ack(self, tag: int, bits: int, /) -> None:
        """`basic.ack`: end the publications it speaks of."""
        self._confirmed(tag, bits, None)

    def on_nack(self, tag: int, bits: int, /) -> None:
        """`basic.nack`: fail the publications it speaks of."""
        self._confirmed(tag, bits, Nacked("the broker refused the message"))

    def on_method(self, payload: bytes, /) -> None:
        """Any other method."""
        method = decode_method(payload)
        if isinstance(method, ChannelClass.Close):
            self._closed_by_broker(method)
        elif isinstance(method, Basic.Cancel):
            self._cancelled_by_broker(method.consumer_tag or "")
        else:
            self._calls.answered(method)
            if self._ready is not None and not self._calls:
                ready, self._ready = self._ready, None
                ready(method, None)

    def _open(self, replayed: Iterable[Call] = ()) -> None:
        self._acks = Acks(self.number, self.outgoing)
        self._restore(ChannelClass.Open, ChannelClass.OpenOk)
        if self.confirms is not None:
            self._restore(Confirm.Select, Confirm.SelectOk)
        for subscription in list(self.subscriptions.values()):
            if subscription.active:
                self._restart(subscription)
        for call in replayed:
            self._issue(call)

    def _closed_by_broker(self, method: ChannelClass.Close) -> None:
        error = refusal(method.reply_code or 0, method.reply_text)
        index = (method.class_id or 0) << 16 | (method.method_id or 0)
        culprit = self._calls.blamed(index, error)
        if culprit is not None:
            culprit.resolve(None, error)
        unsent = list(self._calls.replayable(error, explained=culprit is not None or index == _PUBLISH))
        confirms, self.confirms = self.confirms, Confirms() if self.confirms is not None else None
        self._acks.retire()
        self.outgoing.write(encode_method(self.number, ChannelClass.CloseOk))
        self._open(unsent)
        reason = ChannelInterrupted(f"the broker closed the channel over something else: {error}")
        told = confirms is not None and confirms.fail(error if index == _PUBLISH else None, reason)
        if self.on_confirmed is not None:
            self.on_confirmed()
        if culprit is None and not told:
            logger.error("channel %d was closed by the broker, and is open again: %s", self.number, error)

    def _confirmed(self, tag: int, bits: int, error: Nacked | None) -> None:
        if self.confirms is not None:
            self.confirms.settle(tag, multiple=bits & 1 == 1, error=error)
            if self.on_confirmed is not None:
                self.on_confirmed()

    def _cancelled_by_broker(self, tag: str) -> None:
        subscription = self.subscriptions.get(tag.encode())
        if self._answers_cancel:
            self.outgoing.write(encode_method(self.number, Basic.CancelOk, consumer_tag=tag))
        if subscription is not None and subscription.active:
            self._lose(subscription, AmqpError("the broker has cancelled the consumer"))

    def _consume(
        self, subscription: Subscription, frame: bytes, resolve: Resolve, *, restoring: bool
    ) -> None:
        prefetch = self._prefetch if subscription.prefetch is None else subscription.prefetch
        limit = encode_method(self.number, Basic.Qos, prefetch_count=prefetch)
        self._issue(Call(Basic.Qos.index, Basic.QosOk, limit, nothing, restoring=restoring))
        self._issue(
            Call(
                Basic.Consume.index,
                Basic.ConsumeOk,
                frame,
                resolve,
                consumer=subscription.tag,
                queue=subscription.queue,
                restoring=restoring,
            )
        )

    def _consume_frame(self, subscription: Subscription) -> bytes:
        """May raise anything: the program makes the arguments."""
        return encode_method(
            self.number,
            Basic.Consume,
            queue=subscription.queue,
            consumer_tag=subscription.tag,
            no_ack=subscription.no_ack,
            exclusive=subscription.exclusive,
            arguments=subscription.current_arguments(),
        )

    def _restart(self, subscription: Subscription) -> None:
        def resolve(_: Method | None, error: AmqpError | None) -> None:
            if error is None:
                subscription.restored()
            elif isinstance(error, ChannelClosed) and subscription.active:
                self._lose(subscription, error)

        try:
            frame = self._consume_frame(subscription)
        except Exception as error:
            logger.exception("the arguments of consumer %s cannot be made", subscription.tag)
            self._lose(subscription, AmqpError(f"its arguments cannot be made: {error!r}"))
        else:
            self._consume(subscription, frame, resolve, restoring=True)

    def _lose(self, subscription: Subscription, error: AmqpError) -> None:
        self.subscriptions.pop(subscription.tag.encode(), None)
        subscription.active = False
        if self.on_lost is not None:
            self.on_lost(subscription, error)

    def _restore(self, method: type[Method], answer: type[Method]) -> None:
        self._issue(Call(method.index, answer, encode_method(self.number, method), nothing, restoring=True))

    def _issue(self, call: Call) -> None:
        if isinstance(self.outgoing, ClosedOutgoing):
            call.resolve(None, again(self.outgoing.error))
            return
        self._calls.add(call)
        self.outgoing.write(call.frame)
