from __future__ import annotations

import base64

import pytest

from libs.auth.sealing import SealBroken, Sealer, derived_key

OLD, NEW = b"o" * 32, b"n" * 32


def test_what_was_sealed_opens() -> None:
    sealed = Sealer(NEW).seal(b"secret", bound_to=b"name")
    assert b"secret" not in sealed
    assert Sealer(NEW).open(sealed, bound_to=b"name") == b"secret"


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    sealer = Sealer(NEW)
    assert sealer.seal(b"secret", bound_to=b"") != sealer.seal(b"secret", bound_to=b"")


def test_an_older_key_still_opens_and_no_longer_seals() -> None:
    sealed = Sealer(OLD).seal(b"secret", bound_to=b"")
    assert Sealer(NEW, OLD).open(sealed, bound_to=b"") == b"secret"
    with pytest.raises(SealBroken):
        Sealer(OLD).open(Sealer(NEW, OLD).seal(b"secret", bound_to=b""), bound_to=b"")


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12, b"x" * 64])
def test_damage_does_not_open(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        Sealer(NEW).open(sealed, bound_to=b"")


def test_a_flipped_bit_or_another_name_does_not_open() -> None:
    sealed = Sealer(NEW).seal(b"secret", bound_to=b"name")
    for broken, name in ((sealed[:-1] + bytes([sealed[-1] ^ 1]), b"name"), (sealed, b"other")):
        with pytest.raises(SealBroken):
            Sealer(NEW).open(broken, bound_to=name)


def test_keys_are_read_newest_first() -> None:
    written = ",".join(base64.b64encode(key).decode() for key in (NEW, OLD))
    sealed = Sealer.from_text(written).seal(b"secret", bound_to=b"")
    assert Sealer(NEW).open(sealed, bound_to=b"") == b"secret"


@pytest.mark.parametrize("written", ["", " ", "no base64!", base64.b64encode(b"short").decode(), "A" * 43])
def test_a_key_of_another_size_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer.from_text(written)


def test_purposes_have_keys_of_their_own() -> None:
    assert len({derived_key(OLD, purpose) for purpose in (b"a", b"b")} | {OLD}) == 3
