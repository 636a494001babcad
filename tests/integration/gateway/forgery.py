"""Tokens that a gateway must not believe: each trick of RFC 8725 by its name."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_der_private_key
from jwt.algorithms import get_default_algorithms

from libs.infra.jwt import ALGORITHMS, Algorithm, SigningKey

KEYS = {algorithm: SigningKey.generate(algorithm) for algorithm in ALGORITHMS}
"""The gateway's keys."""
THIEF = SigningKey.generate("ES256")
OURS = KEYS["ES256"]


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says, but for what is changed; None leaves a claim out."""
    now = int(time.time())
    said: dict[str, Any] = {
        "iss": "gatehouse",
        "aud": "gatehouse",
        "sub": str(uuid.uuid4()),
        "client_id": "gatehouse",
        "sid": str(uuid.uuid4()),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + 86_400,
        "scope": "",
        "auth_time": now,
        "amr": ["pwd"],
    }
    return {name: value for name, value in {**said, **changed}.items() if value is not None}


def header(**changed: Any) -> dict[str, Any]:
    """The header of a good token, but for what is changed; None leaves a member out."""
    said = {"typ": "at+jwt", "alg": "ES256", "kid": OURS.kid, **changed}
    return {name: value for name, value in said.items() if value is not None}


def token(head: dict[str, Any], said: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Any header over any claims, signed in any way."""
    signed = _base64(json.dumps(head).encode()) + b"." + _base64(json.dumps(said).encode())
    return (signed + b"." + _base64(sign(signed))).decode()


def by(key: SigningKey, algorithm: Algorithm | None = None) -> Callable[[bytes], bytes]:
    """Signs as the owner of a key does."""
    scheme = get_default_algorithms()[algorithm or key.algorithm]
    private = load_der_private_key(key.to_bytes(), password=None)
    return lambda data: scheme.sign(data, private)


def by_secret(secret: bytes) -> Callable[[bytes], bytes]:
    """Signs with HS256."""
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def good(algorithm: Algorithm = "ES256", **said: Any) -> str:
    """A token to be believed."""
    key = KEYS[algorithm]
    return token(header(alg=algorithm, kid=key.kid), claims(**said), by(key))


def hostile() -> dict[str, str]:
    """Every trick by its name; no token of them ends before the tests do."""
    return {
        **dict(_without_signature()),
        **dict(_public_key_as_secret()),
        **dict(_headers()),
        **dict(_names_of_keys()),
        **dict(_times_and_audiences()),
    }


def _without_signature() -> Iterator[tuple[str, str]]:
    for letters in product(*((one.lower(), one.upper()) for one in "none")):
        alg = "".join(letters)
        yield f"alg {alg}", token(header(alg=alg), claims(), lambda _: b"")
        yield f"alg {alg}, signed", token(header(alg=alg), claims(), by(OURS))
    yield "signature left out", good().rpartition(".")[0] + "."
    yield "alg left out", token(header(alg=None), claims(), by(OURS))


def _public_key_as_secret() -> Iterator[tuple[str, str]]:
    for algorithm, key in KEYS.items():
        public = load_der_private_key(key.to_bytes(), password=None).public_key()
        forms = {
            "PEM": public.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "DER": public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "JWK": json.dumps(key.public_jwk).encode(),
        }
        for form, secret in forms.items():
            yield (
                f"HS256 with the {form} of {algorithm}",
                token(header(alg="HS256", kid=key.kid), claims(), by_secret(secret)),
            )


def _headers() -> Iterator[tuple[str, str]]:
    for typ in ("JWT", "id_token+jwt", "logout+jwt", "at+jwt;x", "", 1):
        yield f"typ {typ!r}", token(header(typ=typ), claims(), by(OURS))
    yield "typ left out", token(header(typ=None), claims(), by(OURS))
    for crit in (["unknown"], ["exp"], ["b64"], [], "exp"):
        yield (
            f"crit {crit}",
            token(header(crit=crit, unknown=1), claims(), by(OURS)),
        )
    brought = {
        "jwk": THIEF.public_jwk,
        "jku": "https://thief.example/keys.json",
        "x5u": "https://thief.example/certificate.pem",
        "x5c": ["MIIB"],
    }
    for member, value in brought.items():
        for kid, whose in ((OURS.kid, "our kid"), (THIEF.kid, "its kid"), (None, "no kid")):
            yield (
                f"{member} brought along, {whose}",
                token(header(kid=kid, **{member: value}), claims(), by(THIEF)),
            )


def _names_of_keys() -> Iterator[tuple[str, str]]:
    for kid in ("../../../../dev/null", "/dev/null", "' OR 1=1 --", OURS.kid + "\0", "", 0, [OURS.kid]):
        said = repr(kid).replace(OURS.kid, "ours")  # a test has one name in every process
        yield f"kid {said}, empty secret", token(header(kid=kid), claims(), by_secret(b""))
        yield (
            f"kid {said}, HS256",
            token(header(kid=kid, alg="HS256"), claims(), by_secret(b"")),
        )
        yield f"kid {said}, signed", token(header(kid=kid), claims(), by(OURS))
    yield "kid left out", token(header(kid=None), claims(), by(OURS))
    for named, signer in ((a, b) for a in ALGORITHMS for b in ALGORITHMS if a != b):
        yield (
            f"{signer} under the kid of {named}",
            token(header(alg=signer, kid=KEYS[named].kid), claims(), by(KEYS[signer])),
        )
        yield (
            f"{signer} said to be {named}",
            token(header(alg=named, kid=KEYS[signer].kid), claims(), by(KEYS[signer])),
        )


def _times_and_audiences() -> Iterator[tuple[str, str]]:
    hour = 3600
    yield "expired", good(iat=int(time.time()) - 2 * hour, exp=int(time.time()) - hour)
    yield "issued in the future", good(iat=int(time.time()) + hour, exp=int(time.time()) + 2 * hour)
    yield "not valid yet", good(nbf=int(time.time()) + hour)
    for aud in ("another", "", ["gatehouse", "another"], None):
        yield f"audience {aud}", good(aud=aud)
    for iss in ("another", "", "gatehouse ", None):
        yield f"issuer {iss!r}", good(iss=iss)
    yield "exp left out", good(exp=None)
    yield "exp as text", good(exp="99999999999")
    yield "payload changed", _changed(good())


def _changed(signed: str) -> str:
    head, _, signature = signed.split(".")
    return f"{head}.{_base64(json.dumps(claims(sub='root')).encode()).decode()}.{signature}"


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
