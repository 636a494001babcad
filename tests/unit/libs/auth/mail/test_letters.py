from uuid import uuid4

import pytest

from libs.auth.mail.letters import Letter, Template
from libs.auth.sealing import SealBroken, Sealer

LETTER = Letter(Template.RESET, "ann@example.com", "ru", {"code": "1234 5678"})


def test_a_letter_opens_with_an_older_key_too() -> None:
    old, new, id_ = b"o" * 32, b"n" * 32, uuid4()
    sealed = LETTER.sealed(Sealer(old), id_)
    assert Letter.opened(sealed, Sealer(new, old), id_) == LETTER


def test_what_is_sealed_says_nothing_and_fits_no_other_letter() -> None:
    sealer, id_ = Sealer(b"k" * 32), uuid4()
    sealed = LETTER.sealed(sealer, id_)
    assert b"ann" not in sealed
    assert b"1234" not in sealed
    with pytest.raises(SealBroken):
        Letter.opened(sealed, sealer, uuid4())


def test_a_code_is_in_no_repr() -> None:
    assert "1234" not in repr(LETTER)
