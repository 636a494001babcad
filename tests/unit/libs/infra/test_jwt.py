"""Believing a token, and above all not believing one (RFC 8725, RFC 9068)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings, strategies
from jwt.algorithms import ECAlgorithm

from libs.domain.auth import Claims
from libs.infra.jwt import (
    ALGORITHMS,
    Algorithm,
    SigningKey,
    TokenOutdated,
    TokenRejected,
    TokenSettings,
    TokenVerifier,
    UnknownKey,
    thumbprint,
)
from tests.fixtures.clock import StoppedClock

KEY = SigningKey.generate("ES256")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def claims(clock: StoppedClock, **values: Any) -> Claims:
    now = int(clock.now().timestamp())
    said: dict[str, Any] = {
        "iss": "gatehouse",
        "aud": "gatehouse",
        "sub": "ann",
        "client_id": "gatehouse",
        "sid": "s",
        "jti": "j",
        "iat": now,
        "exp": now + 600,
        "scope": "",
        "auth_time": now,
        "amr": ("pwd",),
    }
    return Claims(**{**said, **values})


def verifier(clock: StoppedClock, *keys: SigningKey, **options: Any) -> TokenVerifier[Claims]:
    made = TokenVerifier(Claims, TokenSettings(), clock=clock, **options)
    made.replace_keys(key.public_jwk for key in keys or (KEY,))
    return made


def encoded(part: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def forged(header: dict[str, Any], payload: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    signed = encoded(header) + b"." + encoded(payload)
    return (signed + b"." + base64.urlsafe_b64encode(sign(signed)).rstrip(b"=")).decode()


def signed_with(key: SigningKey, clock: StoppedClock, header: dict[str, Any], **values: Any) -> str:
    """A token that our key signed with a header of the attacker's choice."""
    private = serialization.load_der_private_key(key.to_bytes(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    full = {"typ": "at+jwt", "alg": "ES256", "kid": key.kid, **header}
    full = {name: value for name, value in full.items() if value is not None}
    algorithm = ECAlgorithm(ECAlgorithm.SHA256)
    return forged(full, claims(clock, **values).model_dump(), lambda data: algorithm.sign(data, private))


class TestGoodTokens:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_what_was_signed_is_believed(self, algorithm: Algorithm, clock: StoppedClock) -> None:
        key = SigningKey.generate(algorithm)
        said = claims(clock)
        assert verifier(clock, key).verify(key.sign(said)) == said

    def test_the_header_names_type_algorithm_and_key(self, clock: StoppedClock) -> None:
        header = jwt.get_unverified_header(KEY.sign(claims(clock)))
        assert header == {"typ": "at+jwt", "alg": "ES256", "kid": KEY.kid}

    def test_another_library_call_verifies_it_from_the_jwk_alone(self, clock: StoppedClock) -> None:
        token = KEY.sign(claims(clock))
        found = jwt.decode(
            token, jwt.PyJWK(KEY.public_jwk), algorithms=["ES256"], audience="gatehouse", issuer="gatehouse"
        )
        assert found["sub"] == "ann"

    def test_a_second_token_of_the_same_key_is_believed(self, clock: StoppedClock) -> None:
        believing = verifier(clock)
        for subject in ("ann", "bob"):
            assert believing.verify(KEY.sign(claims(clock, sub=subject))).sub == subject

    def test_clocks_may_differ_a_little(self, clock: StoppedClock) -> None:
        token = KEY.sign(claims(clock))
        clock.advance(-4)
        assert verifier(clock).verify(token).sub == "ann"
        clock.advance(4 + 604)
        assert verifier(clock).verify(token).sub == "ann"

    @pytest.mark.parametrize("typ", ["AT+JWT", "application/at+jwt"])
    def test_the_type_may_be_written_otherwise(self, clock: StoppedClock, typ: str) -> None:
        assert verifier(clock).verify(signed_with(KEY, clock, {"typ": typ})).sub == "ann"


class TestTimes:
    def test_an_outdated_token_is_told_apart(self, clock: StoppedClock) -> None:
        token = KEY.sign(claims(clock))
        clock.advance(605)
        with pytest.raises(TokenOutdated):
            verifier(clock).verify(token)

    def test_a_token_from_the_future_is_refused(self, clock: StoppedClock) -> None:
        token = KEY.sign(claims(clock))
        clock.advance(-6)
        with pytest.raises(TokenRejected, match="future"):
            verifier(clock).verify(token)

    def test_a_token_for_the_future_is_refused(self, clock: StoppedClock) -> None:
        token = KEY.sign(claims(clock, nbf=int(clock.now().timestamp()) + 6))
        with pytest.raises(TokenRejected, match="future"):
            verifier(clock).verify(token)
        clock.advance(1)
        assert verifier(clock).verify(token).sub == "ann"


class TestHostileTokens:
    @pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "a.b", "a.b.c.d", "é.é.é", "x" * 5000, "\0"])
    def test_noise_is_refused(self, clock: StoppedClock, token: str) -> None:
        with pytest.raises(TokenRejected):
            verifier(clock).verify(token)

    @settings(max_examples=200)
    @given(text=strategies.text(max_size=200), position=strategies.integers(0, 300))
    def test_whatever_comes_only_rejections_leave(self, text: str, position: int) -> None:
        clock = StoppedClock()
        token = KEY.sign(claims(clock))
        position %= len(token)
        broken = token[:position] + text + token[position:]
        if broken != token:
            with pytest.raises(TokenRejected):
                verifier(clock).verify(broken.removesuffix("=") + "!")

    @pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, ["ES256"], 256])
    def test_no_algorithm_is_no_signature(self, clock: StoppedClock, alg: object) -> None:
        header = {"typ": "at+jwt", "kid": KEY.kid, "alg": alg}
        token = forged(header, claims(clock).model_dump(), lambda _: b"")
        with pytest.raises(TokenRejected):
            verifier(clock).verify(token)

    def test_the_public_key_is_no_shared_secret(self, clock: StoppedClock) -> None:
        public = json.dumps(KEY.public_jwk).encode()
        token = forged(
            {"typ": "at+jwt", "kid": KEY.kid, "alg": "HS256"},
            claims(clock).model_dump(),
            lambda data: hmac.digest(public, data, hashlib.sha256),
        )
        with pytest.raises(TokenRejected, match="algorithm"):
            verifier(clock).verify(token)

    def test_a_key_signs_by_its_own_algorithm_only(self, clock: StoppedClock) -> None:
        other = SigningKey.generate("RS256")
        token = signed_with(KEY, clock, {"kid": other.kid})
        with pytest.raises(TokenRejected):
            verifier(clock, KEY, other).verify(token)

    @pytest.mark.parametrize("typ", ["JWT", "id+jwt", None, 1])
    def test_a_token_of_another_type_is_refused(self, clock: StoppedClock, typ: object) -> None:
        with pytest.raises(TokenRejected, match="not an access token"):
            verifier(clock).verify(signed_with(KEY, clock, {"typ": typ}))

    @pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "exp", None])
    def test_a_critical_header_is_refused(self, clock: StoppedClock, crit: object) -> None:
        header: dict[str, Any] = {"crit": crit} if crit is not None else {"b64": False}
        with pytest.raises(TokenRejected):
            verifier(clock).verify(signed_with(KEY, clock, header))

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
    def test_a_key_that_the_token_brings_along_is_ignored(self, clock: StoppedClock, member: str) -> None:
        thief = SigningKey.generate("ES256")
        brought = {"jwk": thief.public_jwk, "x5c": ["MII="]}.get(member, "https://thief.example/keys")
        with pytest.raises(TokenRejected):
            verifier(clock).verify(signed_with(thief, clock, {"kid": KEY.kid, member: brought}))
        with pytest.raises(UnknownKey):
            verifier(clock).verify(signed_with(thief, clock, {member: brought}))

    def test_a_key_that_is_not_in_the_set_is_told_apart(self, clock: StoppedClock) -> None:
        with pytest.raises(UnknownKey):
            verifier(clock).verify(SigningKey.generate("ES256").sign(claims(clock)))

    @pytest.mark.parametrize("kid", [None, 1, ["k"]])
    def test_a_token_must_name_its_key(self, clock: StoppedClock, kid: object) -> None:
        with pytest.raises(TokenRejected):
            verifier(clock).verify(signed_with(KEY, clock, {"kid": kid}))

    @pytest.mark.parametrize("changed", [{"iss": "thief"}, {"aud": "another"}, {"iss": ""}])
    def test_another_issuer_or_audience_is_refused(
        self, clock: StoppedClock, changed: dict[str, str]
    ) -> None:
        with pytest.raises(TokenRejected, match="issuer or audience"):
            verifier(clock).verify(KEY.sign(claims(clock, **changed)))

    @pytest.mark.parametrize(
        "missing", sorted(name for name, field in Claims.model_fields.items() if field.is_required())
    )
    def test_every_claim_is_required(self, clock: StoppedClock, missing: str) -> None:
        said = claims(clock).model_dump()
        del said[missing]
        private = serialization.load_der_private_key(KEY.to_bytes(), password=None)
        token = jwt.encode(
            said,
            private,  # type: ignore[arg-type]  # an EC key, as ES256 wants
            "ES256",
            {"typ": "at+jwt", "kid": KEY.kid},
        )
        with pytest.raises(TokenRejected, match="claims"):
            verifier(clock).verify(token)

    @pytest.mark.parametrize(
        "wrong", [{"exp": "9999999999"}, {"sub": 1}, {"aud": ["gatehouse"]}, {"iat": 1.5}]
    )
    def test_claims_of_another_type_are_refused(self, clock: StoppedClock, wrong: dict[str, Any]) -> None:
        private = serialization.load_der_private_key(KEY.to_bytes(), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        token = jwt.PyJWS().encode(
            json.dumps({**claims(clock).model_dump(), **wrong}).encode(),
            private,
            "ES256",
            {"typ": "at+jwt", "kid": KEY.kid},
        )
        with pytest.raises(TokenRejected, match="claims"):
            verifier(clock).verify(token)

    def test_a_changed_payload_under_a_known_header_is_refused(self, clock: StoppedClock) -> None:
        believing = verifier(clock)
        good = KEY.sign(claims(clock))
        assert believing.verify(good).sub == "ann"
        header, _, signature = good.split(".")
        payload = encoded(claims(clock, sub="root").model_dump()).decode()
        with pytest.raises(TokenRejected):
            believing.verify(f"{header}.{payload}.{signature}")


class TestKeySet:
    def test_a_key_that_left_the_set_is_not_believed_any_more(self, clock: StoppedClock) -> None:
        believing = verifier(clock)
        token = KEY.sign(claims(clock))
        assert believing.verify(token).sub == "ann"
        believing.replace_keys([])
        with pytest.raises(UnknownKey):
            believing.verify(token)

    def test_a_key_for_another_algorithm_is_left_out(self, clock: StoppedClock) -> None:
        secret = {"kty": "oct", "alg": "HS256", "kid": "s", "k": "c2VjcmV0"}
        believing = verifier(clock)
        believing.replace_keys([secret, KEY.public_jwk])
        assert believing.kids == {KEY.kid}

    def test_a_key_that_cannot_be_read_leaves_the_set_as_it_was(self, clock: StoppedClock) -> None:
        believing = verifier(clock)
        with pytest.raises(ValueError, match="cannot be read"):
            believing.replace_keys([{**KEY.public_jwk, "x": "AAAA"}])
        assert believing.kids == {KEY.kid}

    def test_algorithms_can_be_narrowed(self, clock: StoppedClock) -> None:
        assert verifier(clock, algorithms=["EdDSA"]).kids == frozenset()


class TestSigningKey:
    def test_the_name_is_the_thumbprint_of_rfc_7638(self) -> None:
        """The example of section 3.1."""
        jwk = {
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX"
            "jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJ"
            "ZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqb"
            "w0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        }
        assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_bytes_bring_back_the_same_key(self, algorithm: Algorithm) -> None:
        key = SigningKey.generate(algorithm)
        assert SigningKey.from_bytes(algorithm, key.to_bytes()).public_jwk == key.public_jwk

    def test_the_public_half_holds_no_private_member(self) -> None:
        for algorithm in ALGORITHMS:
            assert not {"d", "p", "q", "dp", "dq", "qi"} & SigningKey.generate(algorithm).public_jwk.keys()

    def test_bytes_of_another_kind_of_key_are_refused(self) -> None:
        private = rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValueError, match="ES256"):
            SigningKey.from_bytes("ES256", private)
