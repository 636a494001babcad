"""Claims that a service adds, over the bus in memory."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from libs.auth.extra_claims import ClaimsSettings, ExtraClaimsSource
from libs.domain.auth import ClaimsRequest, ExtraClaims, claims_operation
from libs.messaging import Caller, Handlers, Unavailable
from libs.messaging.memory import MemoryBus

NAME = "billing.claims"
ACCOUNT, SESSION = UUID(int=1), UUID(int=2)


class Billing:
    """Says what it is told to say."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[ClaimsRequest] = []

    async def claims(self, request: ClaimsRequest, _caller: Caller) -> ExtraClaims:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if answer == "late":
            await asyncio.sleep(60)
        return ExtraClaims.model_construct(claims=answer)


async def source(billing: Billing, *, timeout: float = 5, **settings: Any) -> ExtraClaimsSource:
    bus = MemoryBus()
    table = Handlers("billing")
    table.on(claims_operation(NAME), billing.claims)
    await bus.serve(table)
    return ExtraClaimsSource(ClaimsSettings(operation=NAME, timeout=timeout, **settings), bus)


async def test_the_service_is_told_for_whom() -> None:
    billing = Billing({"plan": "pro", "nothing": None})
    found = await (await source(billing)).of(ACCOUNT, SESSION, "admin")
    assert found == {"plan": "pro", "nothing": None}
    assert billing.asked == [ClaimsRequest(account_id=ACCOUNT, session_id=SESSION, scope="admin")]


@pytest.mark.parametrize("answer", ["late", {"plan": "x" * 1024}, ["no", "object"]])
async def test_without_a_fit_answer_there_are_none(answer: Any) -> None:
    assert await (await source(Billing(answer), timeout=0.05)).of(ACCOUNT, SESSION, "") is None


@pytest.mark.parametrize("answer", ["late", {"plan": "x" * 1024}])
async def test_where_they_are_required_it_is_refused(answer: Any) -> None:
    with pytest.raises(Unavailable) as refused:
        await (await source(Billing(answer), timeout=0.05, required=True)).of(ACCOUNT, SESSION, "")
    assert (refused.value.status, refused.value.retry_after) == (503, 1)


async def test_nobody_is_asked_where_nobody_is_named() -> None:
    nobody = ExtraClaimsSource(ClaimsSettings(), MemoryBus())
    assert not nobody.asks
    assert await nobody.of(ACCOUNT, SESSION, "") is None


@pytest.mark.parametrize("name", ["auth.claims", "claims", "Billing.claims"])
def test_a_name_that_cannot_be_asked(name: str) -> None:
    with pytest.raises(ValidationError):
        ClaimsSettings(operation=name)
