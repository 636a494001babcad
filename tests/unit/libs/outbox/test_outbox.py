from __future__ import annotations

import asyncio
import gc
from typing import cast

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from libs.messaging import EventMessage
from libs.outbox import Outbox, inbox_table, outbox_table


class RecordingSession:
    """A transaction that only notes its statements."""

    def __init__(self) -> None:
        self.sync_session = Session()
        self.statements: list[str] = []

    async def execute(self, statement: object, _rows: object = None) -> None:
        self.statements.append(str(statement))


@pytest.fixture
def recording() -> RecordingSession:
    return RecordingSession()


def outbox(*, relayed: bool) -> Outbox:
    return Outbox(outbox_table(MetaData(schema="shop")), relayed=relayed)


async def added(box: Outbox, recording: RecordingSession, message: EventMessage) -> asyncio.Future[None]:
    return await box.add(cast("AsyncSession", recording), message)


async def test_whoever_waits_goes_on_at_the_confirm(recording: RecordingSession) -> None:
    box, message = outbox(relayed=True), EventMessage("test.done", b"{}")
    told = await added(box, recording, message)
    assert not told.done()
    box.confirmed(message.message_id)
    assert told.done()
    box.confirmed(message.message_id)


async def test_a_confirm_that_nobody_waits_for_is_not_remembered(recording: RecordingSession) -> None:
    box = outbox(relayed=True)
    messages = [EventMessage("test.done", b"{}") for _ in range(100)]
    for message in messages:
        await added(box, recording, message)
    gc.collect()
    assert len(box._told) == 0
    box.confirmed(messages[0].message_id)


async def test_only_a_process_without_a_relay_notifies_others(recording: RecordingSession) -> None:
    for relayed in (True, False):
        await added(outbox(relayed=relayed), recording, EventMessage("test.done", b"{}"))
    assert ["pg_notify" in one for one in recording.statements] == [False, False, True]


async def test_a_commit_wakes_and_a_rollback_does_not(recording: RecordingSession) -> None:
    box = outbox(relayed=True)
    woken: list[bool] = []
    box.on_commit(woken.append)
    await added(box, recording, EventMessage("test.done", b"{}"))
    recording.sync_session.begin()
    recording.sync_session.rollback()
    assert woken == []
    recording.sync_session.begin()
    recording.sync_session.commit()
    assert woken == [False]


def test_each_service_has_the_tables_in_its_own_schema() -> None:
    metadata = MetaData(schema="shop")
    tables = [outbox_table(metadata), inbox_table(metadata)]
    assert [str(table) for table in tables] == ["shop.outbox", "shop.inbox"]
    assert Outbox(tables[0], relayed=True).channel == "shop_outbox"
