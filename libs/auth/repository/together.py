"""Questions that come together are asked together: one statement for all that came while the last one was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

_MOST = 200  # keys in one question


class _Asked(Generic[KeyT, ValueT]):
    """One caller's question."""

    __slots__ = ("answer", "done", "error", "key")

    def __init__(self, key: KeyT) -> None:
        self.key = key
        self.answer: ValueT | None = None
        self.error: Exception | None = None
        self.done = False


class Together(Generic[KeyT, ValueT]):
    """Looks values up by ``ask``, which takes many keys at once, and is never asked twice at a time.

    A caller waits for one question at most before its own, and gets what was read after it came. Nobody asks on behalf
    of the others for longer than it lives: where it is cancelled, the next of them asks.
    """

    def __init__(self, ask: Callable[[AbstractSet[KeyT]], Awaitable[Mapping[KeyT, ValueT]]]) -> None:
        self._ask = ask
        self._waiting: list[_Asked[KeyT, ValueT]] = []
        self._asking: asyncio.Event | None = None

    async def get(self, key: KeyT) -> ValueT | None:
        """The value, or None where there is none; raises whatever asking raises."""
        asked = _Asked[KeyT, ValueT](key)
        self._waiting.append(asked)
        try:
            while not asked.done:
                await (self._lead() if self._asking is None else self._asking.wait())
        finally:
            if not asked.done:
                self._waiting.remove(asked)
        if asked.error is not None:
            raise asked.error
        return asked.answer

    async def _lead(self) -> None:
        """Ask for all that wait now."""
        self._asking = over = asyncio.Event()
        together = self._waiting[:_MOST]
        try:
            await self._answer(together)
        finally:
            self._waiting = [asked for asked in self._waiting if not asked.done]
            self._asking = None
            over.set()

    async def _answer(self, together: list[_Asked[KeyT, ValueT]]) -> None:
        try:
            found = await self._ask({asked.key for asked in together})
        except Exception as error:  # ruff: ignore[blind-except]  # whatever it is, it is everybody's
            for asked in together:
                asked.error, asked.done = error, True
        else:
            for asked in together:
                asked.answer, asked.done = found.get(asked.key), True
