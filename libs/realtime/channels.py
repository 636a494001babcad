"""Channel names: which namespace's rules hold, and whom a name itself admits.

``namespace:name``, or a bare name in the namespace ``""``; ``news#42,43`` admits the accounts 42 and 43 and nobody else;
``$namespace:name`` admits only who brings a subscription token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from libs.realtime.codes import BAD_COMMAND, BAD_REQUEST, UNKNOWN_CHANNEL, Disconnected, Refused
from libs.realtime.settings import Namespace

MAX_NAME = 255  # bytes
_NAME = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel and the rules that hold in it."""

    name: str
    namespace: str
    rules: Namespace

    def names(self, user: str) -> bool:
        """Whether the channel is limited to accounts and ``user`` is one of them."""
        _, limited, users = self.name.partition("#")
        return bool(limited) and bool(user) and user in users.split(",")

    @property
    def limited(self) -> bool:
        """Whether only the accounts that it names may hear it."""
        return "#" in self.name

    @property
    def private(self) -> bool:
        """Whether only a subscription token opens it."""
        return self.name.startswith("$")


class Channels:
    """The namespaces of this gateway."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = dict(namespaces)
        self._personal = [name for name, rules in namespaces.items() if rules.personal]

    def find(self, name: str) -> Channel | None:
        """The channel of that name, or None where no namespace knows it."""
        namespace = name.removeprefix("$").partition(":")[0] if ":" in name else ""
        rules = self._namespaces.get(namespace)
        return None if rules is None else Channel(name, namespace, rules)

    def asked(self, name: str) -> Channel:
        """The channel that a client names; raises `Refused` or `Disconnected` for what can be none."""
        if not name:
            raise Disconnected(BAD_COMMAND)
        if len(name) > MAX_NAME or not _NAME.fullmatch(name):
            raise Refused(BAD_REQUEST)
        found = self.find(name)
        if found is None:
            raise Refused(UNKNOWN_CHANNEL)
        return found

    def personal(self, user: str) -> list[Channel]:
        """The channels that an account is subscribed to when it connects; none where its id cannot be in a name."""
        names = [f"{name}:#{user}" if name else f"#{user}" for name in self._personal]
        if not user or "," in user:
            return []
        found = (self.find(name) for name in names if len(name) <= MAX_NAME and _NAME.fullmatch(name))
        return [channel for channel in found if channel is not None]
