"""What headers say of a caller is read with care."""

import asyncio

import pytest

from libs.messaging import ANONYMOUS, Caller, Client, Identity, acting_for, current_caller

ALICE = Identity(sub="alice", sid="s1", scope="read write")


def test_an_identity_survives_its_header() -> None:
    assert Identity.from_header(ALICE.header) == ALICE
    assert ALICE.scopes == {"read", "write"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        7,
        b"{}",
        "",
        "{",
        "[]",
        "{}",
        '{"sub":""}',
        '{"sub":1,"sid":"s"}',
        '{"sub":"a"}',
        '{"sub":"' + "a" * 3000,
    ],
)
def test_what_is_no_identity_is_anonymous(header: object) -> None:
    assert Identity.from_header(header) is None


def test_a_client_survives_its_header() -> None:
    client = Client(ip="192.0.2.1", user_agent='curl "8"')
    speaking = Client(ip="192.0.2.1", language="ru,en;q=0.5")

    assert Client.from_header(client.header) == client
    assert Client.from_header(speaking.header) == speaking
    assert "language" not in client.header


@pytest.mark.parametrize("header", [None, "{", '{"ip":1,"user_agent":[]}'])
def test_what_is_no_client_is_empty(header: object) -> None:
    assert Client.from_header(header) == Client()


async def test_a_task_started_for_a_caller_keeps_it() -> None:
    with acting_for(Caller(identity=ALICE)):
        task = asyncio.create_task(asyncio.sleep(0, result=None))
        inside = asyncio.create_task(_who())
    await task

    assert await inside == ALICE
    assert current_caller() is ANONYMOUS


async def _who() -> Identity | None:
    return current_caller().identity


def test_a_budget_bounds_the_deadline() -> None:
    deadline = Caller().within(2).within(60).deadline

    assert deadline is not None
    assert deadline.remaining <= 2
