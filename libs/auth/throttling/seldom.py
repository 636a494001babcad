"""Seldom: of many like events few are written down, so that a storm of them does not fill the audit log."""

from __future__ import annotations

from libs.auth.throttling.process_store import ProcessStore
from libs.auth.throttling.store import Store


class Seldom:
    """Finds the first of each kind of event in every ``seconds``; or so many, after which one comes back each ``seconds``.

    This process is asked before all others are: in a storm the answer costs no I/O.
    """

    def __init__(self, store: Store, name: str, *, seconds: float, first: int = 1) -> None:
        self._here = ProcessStore()
        self._everywhere = store
        self._name = name
        self._seconds = seconds
        self._first = first

    async def first(self, kind: str) -> bool:
        """Whether this event is one of the first of its kind for a while."""
        key = f"{self._name}:{kind}"
        return await self._is_free(self._here, key) and await self._is_free(self._everywhere, key)

    async def _is_free(self, store: Store, key: str) -> bool:
        return await store.spend(key, interval=self._seconds, burst=self._first) == 0
