"""Which sessions this process has, found by account and by sign-in session."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from libs.realtime.codes import CONNECTION_LIMIT, STALE, Disconnected
from libs.realtime.settings import RealtimeSettings

if TYPE_CHECKING:
    from libs.realtime.session import Session


class Registry:
    """The open connections of one process."""

    def __init__(self, settings: RealtimeSettings) -> None:
        self._settings = settings
        self._sessions: dict[Session, None] = {}
        self._by_user: dict[str, dict[Session, None]] = {}
        self._by_sid: dict[str, dict[Session, None]] = {}
        self._strangers: deque[tuple[float, Session]] = deque()

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions))

    @property
    def full(self) -> bool:
        """Whether the process has as many connections as it may: nobody opens another one then."""
        return len(self._sessions) >= self._settings.max_connections

    def open(self, session: Session) -> None:
        """A connection was opened; its client must make itself known in time."""
        self._sessions[session] = None
        deadline = time.monotonic() + self._settings.connect_timeout
        self._strangers.append((deadline, session))

    def admit(self, session: Session, *, user: str, sid: str) -> None:
        """The client is known; raises `Disconnected` when its account has as many connections as it may."""
        if user and len(self._by_user.get(user, ())) >= self._settings.max_connections_per_user:
            raise Disconnected(CONNECTION_LIMIT)
        if user:
            self._by_user.setdefault(user, {})[session] = None
        if sid:
            self._by_sid.setdefault(sid, {})[session] = None

    def close(self, session: Session) -> None:
        """The connection is gone; harmless when repeated."""
        self._sessions.pop(session, None)

    def leave(self, session: Session, *, user: str, sid: str) -> None:
        """The client is no longer known as this; harmless when it was not."""
        _remove(self._by_user, user, session)
        _remove(self._by_sid, sid, session)

    def of_user(self, user: str) -> list[Session]:
        """The connections of an account."""
        return list(self._by_user.get(user, ()))

    def of_sid(self, sid: str) -> list[Session]:
        """The connections of one sign-in session."""
        return list(self._by_sid.get(sid, ()))

    def drop_strangers(self) -> None:
        """Close what was opened too long ago by somebody who never said who it is, or was refused and stayed."""
        now = time.monotonic()
        while self._strangers and self._strangers[0][0] <= now:
            session = self._strangers.popleft()[1]
            if not session.is_known:
                session.end(STALE)


def _remove(index: dict[str, dict[Session, None]], key: str, session: Session) -> None:
    found = index.get(key)
    if found is not None:
        found.pop(session, None)
        if not found:
            del index[key]
