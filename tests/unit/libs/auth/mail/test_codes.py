import math
import random

import pytest

from libs.auth.mail import codes
from libs.auth.sealing import SealBroken


def test_a_code_has_eight_digits_and_none_is_like_another() -> None:
    made = {codes.new_code(codes.SHORT) for _ in range(200)}
    assert all(len(code) == 8 and code.isdecimal() for code in made)
    assert len(made) > 190


def test_no_seed_gives_a_code_again() -> None:
    state = random.getstate()
    made = set()
    for _ in range(5):
        random.setstate(state)
        made.add(codes.new_code(codes.LONG))
    assert len(made) == 5


def test_a_long_code_needs_no_count() -> None:
    assert math.log2(10**codes.LONG) > 64
    code = codes.new_code(codes.LONG)
    assert len(code) == 20
    assert codes.shown(code).count(" ") == 4
    assert codes.typed(codes.shown(code)) == code


@pytest.mark.parametrize("typed", ["1234 5678", "12345678", " 1234-5678\n", "1 2 3 4 5 6 7 8"])
def test_a_code_is_typed_as_people_type(typed: str) -> None:
    assert codes.typed(typed) == codes.typed(codes.shown("12345678")) == "12345678"


def test_a_code_means_nothing_under_another_request() -> None:
    one, other = codes.new_request_id(), codes.new_request_id()
    assert codes.code_hash(one, "12345678") == codes.code_hash(one, "12345678")
    assert codes.code_hash(one, "12345678") != codes.code_hash(other, "12345678")


def test_details_open_for_the_same_request_only() -> None:
    one, other = codes.new_request_id(), codes.new_request_id()
    sealed = codes.seal_details(one, b"details")
    assert codes.open_details(one, sealed) == b"details"
    with pytest.raises(SealBroken):
        codes.open_details(other, sealed)


def test_an_address_is_the_same_however_it_is_written() -> None:
    assert codes.address_hash("Ann@Example.com") == codes.address_hash("ann@example.com")
