"""The scenes: parallel callers, lost answers, and a thief before and after the owner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.domain.auth import (
    LOGIN,
    REFRESH,
    VALIDATE,
    LoginRequest,
    RefreshInvalid,
    RefreshRequest,
    SessionEnded,
    TokenPair,
    ValidateRequest,
)
from libs.messaging import Bus


@dataclass
class Played:
    """What came of the rounds of one scene; a fault is whatever should not have happened."""

    rounds: int = 0
    refreshes: int = 0
    faults: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each refresh took."""


class Scenes:
    """Plays against whoever answers on the bus, with sessions of one account."""

    def __init__(self, bus: Bus, login: LoginRequest) -> None:
        self._bus = bus
        self._login = login

    async def sign_in(self) -> TokenPair:
        """A new session."""
        return await self._bus.call(LOGIN, self._login)

    async def in_parallel(self, rounds: int, callers: int) -> Played:
        """All callers refresh with the same token at once, and all get the same successor, which is the next round's."""
        played = Played()
        tokens = await self.sign_in()
        for _ in range(rounds):
            tokens = await self._together(tokens, callers, played)
        return played

    async def lost_answers(self, sessions: int, callers: int, *, wait: float) -> Played:
        """The answer is lost; the client comes back ``wait`` seconds later with what it has, in many tabs at once.

        Within the grace it gets the answer that was lost; after it another one, and the lost one counts as spent.
        """
        played = Played()
        had = [await self.sign_in() for _ in range(sessions)]
        lost = await asyncio.gather(*(self._refresh(one, played) for one in had))
        await asyncio.sleep(wait)
        for tokens, answer in zip(had, lost, strict=True):
            again = await self._together(tokens, callers, played)
            if not wait:
                played.faults += again.refresh_token != answer.refresh_token
                continue
            played.faults += again.refresh_token == answer.refresh_token
            newer = await self._refresh(again, played)
            played.faults += not await self._ends(answer, newer)
        return played

    async def thief_after_the_owner(self, sessions: int) -> Played:
        """Somebody uses a token that the owner has used and whose successor the owner has used too."""
        played = Played()
        for _ in range(sessions):
            played.rounds += 1
            stolen = await self.sign_in()
            owner = await self._refresh(await self._refresh(stolen, played), played)
            played.faults += not await self._ends(stolen, owner)
        return played

    async def thief_before_the_owner(self, sessions: int) -> Played:
        """Somebody has gone on with a stolen token, twice, when the owner comes with the same one."""
        played = Played()
        for _ in range(sessions):
            played.rounds += 1
            owner = await self.sign_in()
            thief = await self._refresh(await self._refresh(owner, played), played)
            played.faults += not await self._ends(owner, thief)
        return played

    async def _together(self, tokens: TokenPair, callers: int, played: Played) -> TokenPair:
        pairs: Sequence[TokenPair] = await asyncio.gather(
            *(self._refresh(tokens, played) for _ in range(callers))
        )
        played.rounds += 1
        played.faults += len({(one.access_token, one.refresh_token) for one in pairs}) != 1
        played.faults += any(one.session_id != tokens.session_id for one in pairs)
        played.faults += not await self._is_good(pairs[-1])
        return pairs[0]

    async def _refresh(self, tokens: TokenPair, played: Played) -> TokenPair:
        began = time.perf_counter()
        refreshed = await self._bus.call(REFRESH, RefreshRequest(refresh_token=tokens.refresh_token))
        played.seconds.append(time.perf_counter() - began)
        played.refreshes += 1
        return refreshed

    async def _ends(self, spent: TokenPair, other: TokenPair) -> bool:
        """Whether the use of a spent token is refused, and takes everything of the session with it."""
        try:
            await self._refresh(spent, Played())
        except RefreshInvalid:
            pass
        else:
            return False
        try:
            await self._refresh(other, Played())
        except SessionEnded:
            return not await self._is_good(other)
        return False

    async def _is_good(self, tokens: TokenPair) -> bool:
        return (await self._bus.call(VALIDATE, ValidateRequest(access_token=tokens.access_token))).active
