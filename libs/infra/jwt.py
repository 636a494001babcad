"""Access tokens as signed JWTs (RFC 9068): making one, and believing one (RFC 8725).

What a token says is a model of the caller's; this module knows only the claims that decide whether to believe it.

    TokenRejected            the token must not be believed; `reason` is for the log
    ├── TokenOutdated        it was ours, and its time is over
    └── UnknownKey           signed with a key that is not in the set, which may be newer than the set
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, get_default_algorithms
from jwt.utils import der_to_raw_signature
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import override

from libs.infra.clock import Clock, SystemClock

Algorithm: TypeAlias = Literal["ES256", "RS256", "EdDSA"]
ALGORITHMS: tuple[Algorithm, ...] = ("ES256", "RS256", "EdDSA")

TYPE = "at+jwt"
_TYPES = frozenset({TYPE, f"application/{TYPE}"})  # RFC 9068, section 4
MAX_TOKEN = 4096  # characters
_RSA_BITS = 2048
_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}

_PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_KEY_TYPES: dict[Algorithm, type[_PrivateKey]] = {
    "ES256": ec.EllipticCurvePrivateKey,
    "RS256": rsa.RSAPrivateKey,
    "EdDSA": ed25519.Ed25519PrivateKey,
}


class TokenSettings(BaseModel):
    """What the issuer and every verifier of access tokens must agree on."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    issuer: str = Field(
        "gatehouse",
        min_length=1,
        max_length=200,
        validation_alias="AUTH_ISSUER",
        description="`iss` of access tokens: the name or URL of the platform.",
    )
    audience: str = Field(
        "gatehouse",
        min_length=1,
        max_length=200,
        validation_alias="AUTH_AUDIENCE",
        description="`aud` of access tokens: the API they are for.",
    )
    leeway: float = Field(
        5.0,
        ge=0,
        le=60,
        validation_alias="AUTH_LEEWAY",
        description="Difference between machines' clocks that a token's times may show (s).",
    )


class TokenRejected(Exception):
    """The token must not be believed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TokenOutdated(TokenRejected):
    """The token was ours, and its time is over."""


class UnknownKey(TokenRejected):
    """The token names a key that is not in the set."""


class BelievableClaims(Protocol):
    """The claims that decide whether a token is believed; times in Unix seconds."""

    @property
    def iss(self) -> str:
        """Who issued it."""

    @property
    def aud(self) -> str:
        """For whom."""

    @property
    def iat(self) -> int:
        """When."""

    @property
    def exp(self) -> int:
        """Until when."""

    @property
    def nbf(self) -> int | None:
        """From when on, where that is not at once."""


ClaimsT = TypeVar("ClaimsT", bound=BelievableClaims)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The key's name: the SHA-256 thumbprint of its JWK (RFC 7638, section 3), in base64url."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    digest = hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _new_private_key(algorithm: Algorithm) -> _PrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, _RSA_BITS)


class _DeterministicEcdsa(ECAlgorithm):
    """ES256 whose signature depends on key and content alone, and on no random number (RFC 6979)."""

    @override
    def sign(self, msg: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        signature = key.sign(msg, ec.ECDSA(self.hash_alg(), deterministic_signing=True))
        return der_to_raw_signature(signature, key.curve)


class SigningKey:
    """A private key, its algorithm and its name. The same claims make the same token, whatever the algorithm."""

    def __init__(self, algorithm: Algorithm, private: _PrivateKey) -> None:
        self.algorithm = algorithm
        self._private = private
        public = get_default_algorithms()[algorithm].to_jwk(private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        self.kid = thumbprint(public)
        self.public_jwk: dict[str, Any] = {**public, "kid": self.kid, "use": "sig", "alg": algorithm}
        self._headers = {"typ": TYPE, "kid": self.kid}
        self._jws = jwt.PyJWS([algorithm])
        if algorithm == "ES256":
            self._jws.unregister_algorithm(algorithm)
            self._jws.register_algorithm(algorithm, _DeterministicEcdsa(ECAlgorithm.SHA256))

    @classmethod
    def generate(cls, algorithm: Algorithm) -> SigningKey:
        """A new key."""
        return cls(algorithm, _new_private_key(algorithm))

    @classmethod
    def from_bytes(cls, algorithm: Algorithm, data: bytes) -> SigningKey:
        """The key that `to_bytes` gave; raises ValueError where the bytes hold none."""
        private = serialization.load_der_private_key(data, password=None)
        if isinstance(private, _KEY_TYPES[algorithm]):
            return cls(algorithm, private)
        raise ValueError(f"not a private key for {algorithm}")

    def to_bytes(self) -> bytes:
        """The private key, unencrypted PKCS #8 (RFC 5958) in DER: to be sealed at once."""
        return self._private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, claims: BaseModel) -> str:
        """The claims as a token."""
        payload = claims.model_dump_json(exclude_none=True).encode()
        return self._jws.encode(payload, self._private, self.algorithm, headers=self._headers)


class TokenVerifier(Generic[ClaimsT]):
    """Believes the tokens that one issuer signed for one audience with a key of the set; does no I/O.

    ``claims`` is the model of what a token says. A result may be kept until its ``exp``, as long as the key set stays.
    """

    def __init__(
        self,
        claims: type[ClaimsT],
        settings: TokenSettings,
        *,
        algorithms: Iterable[Algorithm] = ALGORITHMS,
        clock: Clock | None = None,
    ) -> None:
        self._claims: TypeAdapter[ClaimsT] = TypeAdapter(claims)
        self._settings = settings
        self._algorithms = frozenset(algorithms)
        self._clock = clock or SystemClock()
        self._jws = jwt.PyJWS(sorted(self._algorithms))
        self._keys: dict[str, jwt.PyJWK] = {}
        # Headers of tokens that were good: part of what was signed, so there are as few as there are keys.
        self._headers: dict[str, jwt.PyJWK] = {}

    @property
    def kids(self) -> frozenset[str]:
        """The names of the keys in the set."""
        return frozenset(self._keys)

    def replace_keys(self, jwks: Iterable[Mapping[str, Any]]) -> None:
        """Believe these public keys (JWKs, RFC 7517) and no others; one for another algorithm is left out.

        Raises ValueError where a key cannot be read, and keeps the set that was.
        """
        found = (dict(jwk) for jwk in jwks if jwk.get("alg") in self._algorithms and jwk.get("kid"))
        try:
            self._keys = {jwk["kid"]: jwt.PyJWK.from_dict(jwk) for jwk in found}
        except jwt.PyJWTError as error:
            raise ValueError(f"a public key cannot be read: {error}") from error
        self._headers = {}

    def verify(self, token: str) -> ClaimsT:
        """What the token says; raises `TokenRejected`, of which `TokenOutdated` and `UnknownKey` are kinds."""
        if len(token) > MAX_TOKEN:
            raise TokenRejected("too long")
        header = token.partition(".")[0]
        try:
            key = self._headers.get(header) or self._key_of(token)
            payload = self._jws.decode_complete(token, key, algorithms=[key.algorithm_name])["payload"]
        except (jwt.PyJWTError, UnicodeError) as error:
            raise TokenRejected(type(error).__name__) from error
        self._headers[header] = key
        return self._believed(payload)

    def signer(self, token: str) -> str:
        """The name of the key that signed a token which `verify` has just believed."""
        return self._headers[token.partition(".")[0]].key_id or ""

    def _key_of(self, token: str) -> jwt.PyJWK:
        """The key that the header names; never one that the token brings along (`jwk`, `jku`, `x5u`: RFC 8725, 3.10)."""
        header = self._jws.get_unverified_header(token)
        typ, alg, kid = (header.get(name) for name in ("typ", "alg", "kid"))
        if not isinstance(typ, str) or typ.lower() not in _TYPES:
            raise TokenRejected("not an access token")
        if "crit" in header or "b64" in header:  # RFC 7515, section 4.1.11
            raise TokenRejected("critical header")
        if not isinstance(alg, str) or alg not in self._algorithms:
            raise TokenRejected("algorithm not allowed")
        if not isinstance(kid, str):
            raise TokenRejected("no key named")
        if kid not in self._keys:
            raise UnknownKey("unknown key")
        return self._keys[kid]

    def _believed(self, payload: bytes) -> ClaimsT:
        try:
            claims = self._claims.validate_json(payload, strict=True)
        except ValidationError as error:
            raise TokenRejected("claims missing or malformed") from error
        now = self._clock.now().timestamp()
        if claims.iss != self._settings.issuer or claims.aud != self._settings.audience:
            raise TokenRejected("other issuer or audience")
        if max(claims.iat, claims.nbf or 0) > now + self._settings.leeway:
            raise TokenRejected("issued in the future, or for it")
        if claims.exp <= now - self._settings.leeway:
            raise TokenOutdated("expired")
        return claims
