from __future__ import annotations

from uuid import UUID

import pytest

from libs.auth.callers import Origin, SignedIn
from libs.domain.auth import TokenInvalid
from libs.messaging import ANONYMOUS, Caller, Client, Identity
from libs.messaging.caller import Subject

ID = "01940000-0000-7000-8000-000000000000"


def test_the_account_and_the_session_behind_a_token() -> None:
    found = SignedIn.of(Caller(identity=Identity(ID, ID)))
    assert (found.account_id, found.session_id) == (UUID(ID), UUID(ID))


@pytest.mark.parametrize("identity", [None, Identity("ann", ID), Identity(ID, "")])
def test_nobody_is_signed_in(identity: Identity | None) -> None:
    with pytest.raises(TokenInvalid):
        SignedIn.of(Caller(identity=identity))


def test_an_origin_can_always_be_stored() -> None:
    hostile = Client(ip="1" * 500, user_agent="a\0b\ud800\x1b[31m" + "c" * 500)
    origin = Origin.of(Caller(client=hostile))
    assert len(origin.ip) <= 64
    assert len(origin.user_agent) <= 256
    assert origin.user_agent.startswith("a?b??[31mc")
    assert Origin.of(ANONYMOUS) == Origin()


@pytest.mark.parametrize(
    ("kind", "named"),
    [("account", "actor_session"), ("api_key", "actor_api_key"), ("service", "actor_secret")],
)
def test_an_origin_says_by_what_somebody_acted(kind: Subject, named: str) -> None:
    origin = Origin.of(Caller(identity=Identity(ID, "s" * 500, kind=kind)))
    assert (origin.actor_id, origin.credential) == (UUID(ID), (named, "s" * 64))
    assert Origin.of(Caller(identity=Identity(ID, "", kind=kind))).credential is None
