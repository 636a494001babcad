"""Publications that the broker has not confirmed yet."""

import asyncio
import logging
from collections.abc import Callable
from itertools import chain, takewhile
from typing import Final

from libs.amqp.errors import AmqpError, ChannelClosed, ConnectionLost, Nacked, Returned, again
from libs.amqp.frames import published_to
from libs.amqp.properties import decode_headers, decode_properties

logger = logging.getLogger(__name__)

Confirmation = asyncio.Future[None]
"""Done when the broker has taken responsibility; fails with Nacked, Returned or ConnectionLost."""

OnConfirm = Callable[[AmqpError | None], None]
"""Called once: with None when the broker has taken responsibility, else with the error."""

_COPIES: Final = ("CC", "BCC")
"""Headers that name more routing keys."""

Outcome = Confirmation | OnConfirm | None
Publication = tuple[bytes, int, bytes, bytes]
"""Method frame, property flags, property fields, body."""


class Confirms:
    """The unconfirmed publications of one channel, from its opening to its end, by delivery tag."""

    __slots__ = ("_last", "_returned", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Outcome, Publication | None]] = {}  # the oldest first
        self._last = 0  # the tag of the latest publication
        self._returned = 0  # the tag of the latest publication that came back

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, outcome: Outcome, publication: Publication) -> None:
        """Take the next delivery tag for a publication."""
        self._last = tag = self._last + 1
        self._waiting[tag] = (outcome, publication)

    def settle(self, tag: int, *, multiple: bool, error: Nacked | None) -> None:
        """The broker's word on one publication, or on all up to it."""
        for each in list(takewhile(tag.__ge__, self._waiting)) if multiple else (tag,):
            entry = self._waiting.pop(each, None)
            if entry is not None:
                conclude(entry[0], error and again(error))

    def give_back(self, error: Returned, flags: int, fields: bytes, body: bytes) -> None:
        """Fail the publication that came back unroutable; its confirm, still to come, changes nothing.

        The broker returns messages in the order of their publishing, without saying their tags. Of those
        published since the latest return, the first that has the same address, ids and body is the one; where
        several are alike in all of these, they are alike to their publishers too.
        """
        came = (error.exchange, error.routing_key, *_ids(flags, fields))
        oldest = next(iter(self._waiting), self._last + 1)
        for tag in chain(
            range(max(oldest, self._returned + 1), self._last + 1), range(oldest, self._returned + 1)
        ):
            outcome, publication = self._waiting.get(tag, (None, None))
            if publication is not None and _is_like(publication, came, body):
                self._returned = tag
                self._waiting[tag] = (_ignore, None)
                conclude(outcome, error)
                return
        logger.warning("a publication came back that waits for no confirm: %s", error)

    def fail(self, error: ChannelClosed | None, reason: ConnectionLost) -> bool:
        """End all of them: the one that `error` speaks of with it, the others with `reason`.

        Says whether one was found that `error` speaks of.
        """
        waiting, self._waiting = self._waiting, {}
        culprit = next(
            (tag for tag, (_, sent) in waiting.items() if error and sent and _blames(error, sent)), None
        )
        if culprit is None and error is not None and len(waiting) == 1:
            culprit = next(iter(waiting))
        for tag, (outcome, _) in waiting.items():
            conclude(outcome, error if tag == culprit else again(reason))
        return culprit is not None


def conclude(outcome: Outcome, error: AmqpError | None) -> None:
    """Tell whoever published how it ended."""
    if outcome is None:
        if error is not None:
            logger.warning("a publication failed, and nobody asked for its outcome: %s", error)
    elif isinstance(outcome, asyncio.Future):
        if outcome.done():
            return
        if error is None:
            outcome.set_result(None)
        else:
            outcome.set_exception(error)
    else:
        try:
            outcome(error)
        except Exception:
            logger.exception("an on_confirm callback failed")


def _ignore(_: AmqpError | None) -> None:
    pass


def _is_like(publication: Publication, came: tuple[str | None, ...], body: bytes) -> bool:
    method, flags, fields, sent = publication
    return sent == body and (*published_to(method), *_ids(flags, fields)) == came


def _ids(flags: int, fields: bytes) -> tuple[str | None, str | None]:
    properties = decode_properties(flags, fields)
    return properties.message_id, properties.correlation_id


def _blames(error: ChannelClosed, publication: Publication) -> bool:
    """Whether the broker's text speaks of this publication.

    It names the exchange, the size of a body that is too large, the forged user id, or the header (`CC`, `BCC`)
    that is no array.
    """
    method, flags, fields, body = publication
    exchange, _ = published_to(method)
    if f"exchange '{exchange}'" in error.text or f"message size {len(body)} " in error.text:
        return True
    properties = decode_properties(flags, fields)
    for name in _COPIES:
        if f'unacceptable_type_in_header,"{name}"' in error.text:
            return not isinstance(decode_headers(properties).get(name, []), list)
    user_id = properties.user_id
    return user_id is not None and f"user_id property set to '{user_id}'" in error.text
