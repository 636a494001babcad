from __future__ import annotations

import pytest
from typing_extensions import override

from libs.domain.auth import Claims, Forbidden, SessionEnded, TokenExpired, TokenInvalid
from libs.gateway import Authorization, Gate
from libs.gateway.authorization import TokenMissing, challenge
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.messaging import AUTHENTICATED, PUBLIC, SERVICES, Identity, Unavailable, scope
from tests.unit.libs.gateway.door import AuthService, Door


class CountingVerifier(TokenVerifier[Claims]):
    """Counts the tokens that it is really asked about."""

    def __init__(self) -> None:
        super().__init__(Claims, TokenSettings())
        self.verified = 0

    @override
    def verify(self, token: str) -> Claims:
        self.verified += 1
        return super().verify(token)


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


class World(Door):
    def __init__(self, *, cache_size: int = 100) -> None:
        super().__init__([])
        self.counting = CountingVerifier()
        self.counting.replace_keys([key.public_jwk for key in self.issuer.keys])
        self.now = 0.0
        self.authorization = Authorization(
            self.counting, self.keys, self.revocations, cache_size=cache_size, now=lambda: self.now
        )


async def test_public_needs_nobody() -> None:
    assert await World().authorization.admit(PUBLIC, b"Bearer nonsense") is None


async def test_a_good_token_says_who_calls() -> None:
    world = World()
    token = world.issuer.token(sub="ann", sid="s1", scope="read write")
    identity = await world.authorization.admit(AUTHENTICATED, bearer(token))
    assert identity is not None
    assert identity == Identity("ann", "s1", "read write")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
async def test_the_name_of_the_scheme_is_case_insensitive(scheme: str) -> None:
    world = World()
    assert await world.authorization.admit(AUTHENTICATED, f"{scheme} {world.issuer.token()}".encode())


@pytest.mark.parametrize("header", [None, b"", b"Bearer", b"Basic YTpi", b"Token abc"])
async def test_no_token_is_told_as_missing(header: bytes | None) -> None:
    with pytest.raises(TokenMissing):
        await World().authorization.admit(AUTHENTICATED, header)


@pytest.mark.parametrize(
    "token", [b"", b"a.b.c", b"nonsense", b"\xff\xfe", b"a" * 10_000, b"a b c", b"..", "ключ".encode()]
)
async def test_what_is_no_token_of_ours_is_refused(token: bytes) -> None:
    with pytest.raises(TokenInvalid) as refused:
        await World().authorization.admit(AUTHENTICATED, b"Bearer " + token)
    assert not isinstance(refused.value, TokenMissing)


async def test_a_token_of_another_issuer_is_refused() -> None:
    world = World()
    with pytest.raises(TokenInvalid):
        await world.authorization.admit(AUTHENTICATED, bearer(world.issuer.token(iss="somebody")))


async def test_an_expired_token_is_told_as_such() -> None:
    world = World()
    with pytest.raises(TokenExpired):
        await world.authorization.admit(AUTHENTICATED, bearer(world.issuer.token(lifetime=-60)))


async def test_a_scope_is_needed_where_the_contract_says_so() -> None:
    world = World()
    reader = bearer(world.issuer.token(scope="read"))
    assert await world.authorization.admit(scope("read"), reader)
    with pytest.raises(Forbidden, match="write"):
        await world.authorization.admit(scope("write"), reader)


async def test_what_is_for_services_lets_no_bearer_in() -> None:
    world = World()
    with pytest.raises(Forbidden):
        await world.authorization.admit(SERVICES, bearer(world.issuer.token(scope="services")))


class TestCache:
    async def test_a_token_is_verified_once(self) -> None:
        world = World()
        token = world.issuer.token()
        for _ in range(3):
            await world.authorization.believe(token)
        assert world.counting.verified == 1

    async def test_its_session_is_looked_at_every_time(self) -> None:
        world = World()
        token = world.issuer.token(sid="s1")
        bearer_of = await world.authorization.believe(token)
        world.revocations.add("s1", bearer_of.expires)
        with pytest.raises(SessionEnded):
            await world.authorization.believe(token)

    async def test_its_time_is_looked_at_every_time(self) -> None:
        world = World()
        token = world.issuer.token(lifetime=2)
        believed = await world.authorization.believe(token)
        world.now = believed.expires
        await world.authorization.believe(token)
        assert world.counting.verified == 2, "past its end it is the verifier that judges"

    async def test_it_is_bounded(self) -> None:
        world = World(cache_size=2)
        tokens = [world.issuer.token() for _ in range(3)]
        for token in tokens:
            await world.authorization.believe(token)
        await world.authorization.believe(tokens[2])
        assert world.counting.verified == 3
        await world.authorization.believe(tokens[0])
        assert world.counting.verified == 4

    async def test_it_can_be_switched_off(self) -> None:
        world = World(cache_size=0)
        token = world.issuer.token()
        await world.authorization.believe(token)
        await world.authorization.believe(token)
        assert world.counting.verified == 2

    async def test_other_keys_make_it_worthless(self) -> None:
        world = World()
        token = world.issuer.token()
        await world.authorization.believe(token)
        world.keys.generation += 1
        await world.authorization.believe(token)
        assert world.counting.verified == 2

    async def test_bad_tokens_do_not_fill_it(self) -> None:
        world = World()
        for number in range(10):
            with pytest.raises(TokenInvalid):
                await world.authorization.believe(f"bad.token.{number}")
        assert not world.authorization._cache


class TestUnknownKey:
    async def test_the_auth_service_is_asked_and_the_token_believed(self) -> None:
        door = Door([])
        auth = AuthService(door.issuer)
        await door.bus.serve(auth.handlers())
        door.issuer.rotate()
        assert (await door.authorization.believe(door.issuer.token(sub="ann"))).identity.sub == "ann"
        assert auth.asked_for_keys == 1

    async def test_a_key_that_the_auth_service_does_not_have_is_refused(self) -> None:
        door, stranger = Door([]), Door([])
        auth = AuthService(door.issuer)
        await door.bus.serve(auth.handlers())
        for _ in range(5):
            with pytest.raises(TokenInvalid):
                await door.authorization.believe(stranger.issuer.token())
        assert auth.asked_for_keys == 1

    async def test_while_it_cannot_be_asked_the_token_is_not_called_bad(self) -> None:
        door = Door([])
        door.issuer.rotate()
        with pytest.raises(Unavailable):
            await door.authorization.believe(door.issuer.token())


class TestChallenge:
    """RFC 6750, section 3.1."""

    def test_who_shows_no_token_is_not_told_of_an_error(self) -> None:
        assert challenge(TokenMissing()) == {}

    @pytest.mark.parametrize("error", [TokenInvalid(), TokenExpired(), SessionEnded()])
    def test_a_bad_token_is_an_invalid_token(self, error: TokenInvalid) -> None:
        assert challenge(error)["www-authenticate"].startswith('Bearer error="invalid_token"')

    def test_a_missing_scope_is_an_insufficient_scope(self) -> None:
        assert challenge(Forbidden())["www-authenticate"] == 'Bearer error="insufficient_scope"'
        named = challenge(Forbidden(), scope="notes:read")["www-authenticate"]
        assert named == 'Bearer error="insufficient_scope", scope="notes:read"'

    def test_other_errors_challenge_nobody(self) -> None:
        assert challenge(Unavailable()) == {}


def test_a_gate_without_contracts_serves_none() -> None:
    door = Door([])
    assert isinstance(door.gate, Gate)
    assert door.gate.routes == []
