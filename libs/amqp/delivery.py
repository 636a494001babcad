"""A message as a consumer gets it."""

from typing import Any, Final

from typing_extensions import override

from libs.amqp.acks import Acks
from libs.amqp.errors import AlreadySettled
from libs.amqp.properties import Properties, decode_headers, decode_properties, decode_short, read_short

_CORRELATION_ID: Final = Properties._fields.index("correlation_id")
_REPLY_TO: Final = Properties._fields.index("reply_to")
_TYPE: Final = Properties._fields.index("type")


class Delivery:
    """One delivery. Its address and properties are decoded when they are first asked for.

    Settle it once with `ack`, `nack` or `reject`, from the event loop's thread, at any time: after its channel
    is gone that does nothing, since the broker delivers the message again.
    """

    __slots__ = (
        "_acks",
        "_address",
        "_bits",
        "_fields",
        "_flags",
        "_headers",
        "_properties",
        "body",
        "delivery_tag",
    )

    def __init__(
        self,
        delivery_tag: int,
        bits: int,
        address: bytes,
        flags: int,
        fields: bytes,
        body: bytes,
        acks: Acks | None,
    ) -> None:
        self.delivery_tag = delivery_tag
        self.body = body
        self._bits = bits
        self._address = address
        self._flags = flags
        self._fields = fields
        self._acks = acks
        self._properties: Properties | None = None
        self._headers: dict[str, Any] | None = None

    @property
    def redelivered(self) -> bool:
        """True where an earlier delivery of it, here or elsewhere, was not acked."""
        return self._bits != 0

    @property
    def exchange(self) -> str:
        """The exchange it was published to; empty for the default exchange."""
        return decode_short(self._address, 0)[0]

    @property
    def routing_key(self) -> str:
        """The routing key it was published with."""
        return decode_short(self._address, 1 + self._address[0])[0]

    @property
    def properties(self) -> Properties:
        """All properties, `headers` decoded to a dict. Raises MalformedMessage."""
        properties = self._decoded()
        return properties if properties.headers is None else properties._replace(headers=self.headers)

    @property
    def headers(self) -> dict[str, Any]:
        """The header table; empty where none was sent. Raises MalformedMessage."""
        if self._headers is None:
            self._headers = decode_headers(self._decoded())
        return self._headers

    @property
    def undecoded(self) -> Properties:
        """All properties, `headers` as the encoded table that came. Raises MalformedMessage."""
        return self._decoded()

    @property
    def correlation_id(self) -> str | None:
        """What ties a reply to its request."""
        if self._properties is not None:
            return self._properties.correlation_id
        return read_short(self._flags, self._fields, _CORRELATION_ID)

    @property
    def reply_to(self) -> str | None:
        """The queue that a reply goes to."""
        if self._properties is not None:
            return self._properties.reply_to
        return read_short(self._flags, self._fields, _REPLY_TO)

    @property
    def message_id(self) -> str | None:
        """The publisher's name for this message."""
        return self._decoded().message_id

    @property
    def type(self) -> str | None:
        """The kind of message."""
        if self._properties is not None:
            return self._properties.type
        return read_short(self._flags, self._fields, _TYPE)

    @property
    def expiration(self) -> int | None:
        """The time to live it was published with, in ms."""
        return self._decoded().expiration

    @property
    def user_id(self) -> str | None:
        """The user who published it, checked by the broker where it was said at all."""
        return self._decoded().user_id

    @property
    def settled(self) -> bool:
        """True after `ack`, `nack` or `reject`, and always for a consumer without acks."""
        return self._acks is None

    def ack(self) -> None:
        """Done. Acks of one turn of the event loop travel together. Raises AlreadySettled."""
        acks = self._acks
        if acks is None:
            raise AlreadySettled
        self._acks = None
        acks.ack(self.delivery_tag)

    def nack(self, *, requeue: bool = False) -> None:
        """Failed: back to the queue, else dropped or dead-lettered. Raises AlreadySettled."""
        self._take_acks().nack(self.delivery_tag, requeue=requeue)

    def reject(self, *, requeue: bool = False) -> None:
        """Failed, by `basic.reject`: RabbitMQ 4.3 counts it towards a quorum queue's delivery limit, unlike a nack."""
        self._take_acks().reject(self.delivery_tag, requeue=requeue)

    def _take_acks(self) -> Acks:
        acks, self._acks = self._acks, None
        if acks is None:
            raise AlreadySettled
        return acks

    def _decoded(self) -> Properties:
        properties = self._properties
        if properties is None:
            properties = self._properties = decode_properties(self._flags, self._fields)
        return properties

    @override
    def __repr__(self) -> str:
        return f"<Delivery {self.delivery_tag} {self.exchange!r} {self.routing_key!r} {len(self.body)} bytes>"
