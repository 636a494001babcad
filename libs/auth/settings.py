"""The settings of identity."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from libs.auth.hashing import expect_cores
from libs.auth.sealing import Sealer, keys_from_text
from libs.domain.auth import PASSWORD_FLOOR
from libs.infra.jwt import Algorithm

_SECTION = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)


def _words(value: object) -> object:
    """`a,b` as a set of words."""
    return frozenset(value.replace(",", " ").split()) if isinstance(value, str) else value


def _usable(value: frozenset[int]) -> frozenset[int]:
    expect_cores(value)
    return value


def _keys(value: SecretStr) -> SecretStr:
    Sealer.from_text(value.get_secret_value())
    return value


class KeySettings(BaseModel):
    """The keys that sign access tokens."""

    model_config = _SECTION

    encryption_keys: Annotated[SecretStr, AfterValidator(_keys)] = Field(
        validation_alias="AUTH_KEY_ENCRYPTION_KEYS",
        description="Keys that seal the private signing keys: 32 bytes in base64 each, newest first, separated by commas.",
    )
    algorithm: Algorithm = Field(
        "ES256",
        validation_alias="AUTH_SIGNING_ALGORITHM",
        description="Algorithm of new signing keys: `ES256`, `RS256` or `EdDSA`; another one takes over by a rotation.",
    )
    publish_seconds: float = Field(
        600.0,
        ge=0,
        validation_alias="AUTH_KEY_PUBLISH_SECONDS",
        description="How long a key is published before it signs; others may cache the published keys for 300 (s).",
    )
    rotation_seconds: float = Field(
        2_592_000.0,
        ge=0,
        validation_alias="AUTH_KEY_ROTATION_SECONDS",
        description="How long a key signs before the next one takes over by itself; 0 is until an operator says so (s).",
    )
    reload_interval: float = Field(
        30.0,
        gt=0,
        validation_alias="AUTH_KEY_RELOAD_INTERVAL",
        description="How often a process looks for keys that others made, should it miss the event (s).",
    )

    @property
    def secrets(self) -> list[bytes]:
        """The sealing keys, newest first; keys for other purposes are derived from them."""
        return keys_from_text(self.encryption_keys.get_secret_value())


class SessionSettings(BaseModel):
    """How long tokens and sessions live."""

    model_config = _SECTION

    access_seconds: int = Field(
        600,
        ge=30,
        le=86_400,
        validation_alias="AUTH_ACCESS_TOKEN_SECONDS",
        description="Longest life of an access token (s).",
    )
    access_jitter: int = Field(
        30,
        ge=0,
        validation_alias="AUTH_ACCESS_TOKEN_JITTER_SECONDS",
        description="Access tokens live shorter by a random part of this, so that clients do not refresh all at once (s).",
    )
    idle_seconds: int = Field(
        1_209_600,
        ge=60,
        validation_alias="AUTH_REFRESH_IDLE_SECONDS",
        description="How long a refresh token waits for its use; a session unused for longer is over (s).",
    )
    absolute_seconds: int = Field(
        7_776_000,
        ge=60,
        validation_alias="AUTH_REFRESH_ABSOLUTE_SECONDS",
        description="Longest life of a session, however much it is used (s).",
    )
    grace_seconds: float = Field(
        30.0,
        ge=0,
        le=300,
        validation_alias="AUTH_REFRESH_GRACE_SECONDS",
        description="How long a refresh token that was just used gives the same answer again (s).",
    )
    lost_answer_seconds: float = Field(
        3600.0,
        ge=0,
        validation_alias="AUTH_REFRESH_LOST_ANSWER_SECONDS",
        description="How long a used refresh token works while its successor was never used; 0 is off (s).",
    )
    recent_seconds: int = Field(
        900,
        ge=60,
        le=86_400,
        validation_alias="AUTH_RECENT_SIGN_IN_SECONDS",
        description="How old a sign-in may be where a recent one is asked for, as to end another session (s).",
    )


class PasswordSettings(BaseModel):
    """What a password must be, and what its hash costs."""

    model_config = _SECTION

    min_length: int = Field(
        PASSWORD_FLOOR,
        ge=PASSWORD_FLOOR,
        le=128,
        validation_alias="AUTH_PASSWORD_MIN_LENGTH",
        description="Fewest characters of a new password.",
    )
    context_words: Annotated[frozenset[str], BeforeValidator(_words)] = Field(
        frozenset(),
        validation_alias="AUTH_PASSWORD_CONTEXT_WORDS",
        description="Names of your product and company, separated by commas: a new password is not made of them alone.",
    )
    memory: int = Field(
        19_456,
        ge=7_168,
        le=1_048_576,
        validation_alias="AUTH_HASH_MEMORY",
        description="Argon2id memory per hash (KiB).",
    )
    passes: int = Field(
        2, ge=1, le=16, validation_alias="AUTH_HASH_PASSES", description="Argon2id passes over the memory."
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        validation_alias="AUTH_HASH_THREADS",
        description="Hashes computed at once; 0 is one per core.",
    )
    cores: Annotated[frozenset[int], BeforeValidator(_words), AfterValidator(_usable)] = Field(
        frozenset(),
        validation_alias="AUTH_HASH_CORES",
        description="Cores that hash, such as `1,2`; the event loop keeps off them. Empty leaves it to the system (Linux).",
    )
    max_wait: float = Field(
        1.0,
        gt=0,
        validation_alias="AUTH_HASH_MAX_WAIT",
        description="How long a request that was taken from the queue waits for a thread before it is refused (s); its wait in "
        "the queue is bounded by `AUTH_HASH_QUEUE` and comes on top.",
    )
    queue: int = Field(
        64,
        ge=1,
        validation_alias="AUTH_HASH_QUEUE",
        description="Requests that wait in the broker for the hash pool; more are refused. The same for all processes.",
    )


class HousekeepingSettings(BaseModel):
    """How long what is over is kept."""

    model_config = _SECTION

    interval: float = Field(
        10.0,
        gt=0,
        validation_alias="AUTH_SWEEP_INTERVAL",
        description="Pause between two rounds of housekeeping (s).",
    )
    batch: int = Field(
        500,
        ge=1,
        le=10_000,
        validation_alias="AUTH_SWEEP_BATCH",
        description="Rows that one housekeeping statement removes at most.",
    )
    session_retention: float = Field(
        604_800.0,
        ge=172_800,  # longer than any access token, which a revocation must outlive
        validation_alias="AUTH_SESSION_RETENTION",
        description="How long sessions that ended or expired are kept (s).",
    )
    audit_retention: float = Field(
        34_560_000.0,
        ge=86_400,
        validation_alias="AUTH_AUDIT_RETENTION",
        description="How long audit rows are kept (s).",
    )
