from __future__ import annotations

import random
from base64 import urlsafe_b64decode
from datetime import timedelta
from uuid import UUID

import pytest

from libs.auth.sealing import SealBroken
from libs.auth.settings import SessionSettings
from libs.auth.tokens import (
    AccessTokens,
    LiveSession,
    digest,
    new_refresh_token,
    open_successor,
    seal_successor,
)
from libs.domain.auth import Claims, RefreshRequest
from libs.infra.jwt import ALGORITHMS, Algorithm, SigningKey, TokenSettings, TokenVerifier
from tests.fixtures.clock import StoppedClock

KEY = SigningKey.generate("ES256")


def test_refresh_tokens_are_what_the_contract_says_and_never_the_same() -> None:
    tokens = {new_refresh_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(RefreshRequest(refresh_token=token) for token in tokens)


def test_refresh_tokens_have_256_bits_that_no_seed_gives_again() -> None:
    state = random.getstate()
    tokens = set()
    for _ in range(2):
        random.setstate(state)
        tokens.add(new_refresh_token())
    assert [len(urlsafe_b64decode(token + "=")) for token in tokens] == [32, 32]


def test_only_the_presented_token_opens_its_successor() -> None:
    presented, successor = new_refresh_token(), new_refresh_token()
    sealed = seal_successor(presented, successor)
    assert open_successor(presented, sealed) == successor
    with pytest.raises(SealBroken):
        open_successor(new_refresh_token(), sealed)
    assert successor.encode() not in sealed
    assert digest(presented) not in sealed


class TestAccessTokens:
    def issue(self, clock: StoppedClock, session_seconds: float, **settings: int) -> tuple[Claims, int]:
        session = LiveSession(
            UUID(int=1),
            UUID(int=2),
            clock.now(),
            ("pwd",),
            (),
            clock.now() + timedelta(seconds=session_seconds),
        )
        tokens = AccessTokens(TokenSettings(issuer="us"), SessionSettings(**settings), clock)
        token, expires_in = tokens.issue(
            session, KEY, scope="admin", refresh_token=new_refresh_token(), at=clock.now()
        )
        verifier = TokenVerifier(Claims, TokenSettings(issuer="us"), clock=clock)
        verifier.replace_keys([KEY.public_jwk])
        return verifier.verify(token), expires_in

    def test_it_says_what_rfc_9068_asks_for(self) -> None:
        clock = StoppedClock()
        claims, expires_in = self.issue(clock, 86_400)
        now = int(clock.now().timestamp())
        assert (claims.iss, claims.aud, claims.client_id) == ("us", "gatehouse", "gatehouse")
        assert (claims.sub, claims.sid) == (str(UUID(int=2)), str(UUID(int=1)))
        assert (claims.scope, claims.amr, claims.auth_time, claims.iat) == ("admin", ("pwd",), now, now)
        assert claims.exp - claims.iat == expires_in

    def test_lives_are_spread(self) -> None:
        clock = StoppedClock()
        lives = {self.issue(clock, 86_400)[1] for _ in range(200)}
        assert len(lives) > 5
        assert all(570 <= life <= 600 for life in lives)

    def test_none_outlives_its_session(self) -> None:
        assert self.issue(StoppedClock(), 100)[1] == 100

    def test_each_has_a_name_of_its_own(self) -> None:
        clock = StoppedClock()
        assert self.issue(clock, 100)[0].jti != self.issue(clock, 100)[0].jti

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_the_same_refresh_token_has_the_same_companion(self, algorithm: Algorithm) -> None:
        clock, key = StoppedClock(), SigningKey.generate(algorithm)
        tokens = AccessTokens(TokenSettings(), SessionSettings(), clock)
        made_at, refresh_token = clock.now(), new_refresh_token()
        session = LiveSession(UUID(int=1), UUID(int=2), made_at, ("pwd",), (), made_at + timedelta(days=1))

        def issue(of: str) -> tuple[str, int]:
            return tokens.issue(session, key, scope="", refresh_token=of, at=made_at)

        first, lives = issue(refresh_token)
        clock.advance(29)
        assert issue(refresh_token) == (first, lives - 29)
        assert issue(new_refresh_token())[0] != first
        clock.advance(600)
        assert issue(refresh_token)[1] > 0  # its time is over: a new one
