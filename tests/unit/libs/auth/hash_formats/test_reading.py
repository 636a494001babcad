from __future__ import annotations

import pytest

from libs.auth.hash_formats import HashRefused, read_hash
from tests.fixtures.foreign_hashes import FOREIGN, PASSWORD


@pytest.mark.parametrize("name", FOREIGN)
def test_the_password_fits_and_others_do_not(name: str) -> None:
    kept = read_hash(FOREIGN[name])
    kept.check()
    assert kept.matches(PASSWORD.encode())
    assert not kept.matches(b"seven green bottle")
    assert not kept.matches(b"")
    assert not kept.matches(b"a\0b")


@pytest.mark.parametrize("name", FOREIGN)
def test_nothing_of_it_is_printed(name: str) -> None:
    assert FOREIGN[name].rpartition("$")[2] not in repr(read_hash(FOREIGN[name]))


@pytest.mark.parametrize(
    ("text", "password"),
    [
        # RFC 7914 (section 12); the reference implementation of Argon2; crypt_blowfish
        (
            "scrypt$16384$SodiumChloride$8$1$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw==",
            b"pleaseletmein",
        ),
        (
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            b"password",
        ),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", b"U*U"),
    ],
)
def test_vectors_that_others_published(text: str, password: bytes) -> None:
    assert read_hash(text).matches(password)


def test_bcrypt_reads_72_bytes_as_it_always_did() -> None:
    import bcrypt

    long = b"x" * 100
    kept = read_hash(bcrypt.hashpw(long[:72], bcrypt.gensalt(4)).decode())
    assert kept.matches(long)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$hash",
        "$argon2id$v=19$broken",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
        "argon2$bcrypt",
        "$2b$12$short",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "pbkdf2_md5$1000$salt$c29tZXNhbHRzb21lc2FsdA==",
        "pbkdf2_sha256$many$salt$c29tZXNhbHRzb21lc2FsdA==",
        "pbkdf2_sha256$1000$salt$c29tZXNhbHRzb21lc2Fsd",
        "scrypt$16384$salt$8$c29tZXNhbHRzb21lc2FsdA==",
        "$scrypt$ln=ten,r=8,p=1$c2FsdA$c29tZXNhbHRzb21lc2FsdA",
        "$pbkdf2-sha256$i=1000$$",
        "pbkdf2_sha256$1000$salt$================",
        "pbkdf2_sha256$1000$salt$AAAA============",
        "scrypt$16384$salt$8$1$AAAA============",
        "pbkdf2_sha256$1000$" + "s" * 600 + "$c29tZXNhbHRzb21lc2FsdA==",
    ],
)
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(HashRefused):
        read_hash(text)


_BCRYPT = "C" * 22 + "E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
_TAIL = "c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"$argon2id$v=19$m=262145,t=1,p=1${_TAIL}", "m, the memory"),
        (f"$argon2id$v=19$m=1024,t=17,p=1${_TAIL}", "t, the number of passes"),
        (f"$argon2id$v=19$m=1024,t=1,p=17${_TAIL}", "p, the number of lanes"),
        (f"$argon2id$v=19$m=262144,t=5,p=1${_TAIL}", "m times t"),
        (f"$argon2id$v=19$m=1024,t=0,p=1${_TAIL}", "t or p"),
        (f"$argon2id$v=19$m=1024,t=1,p=0${_TAIL}", "t or p"),
        (f"$argon2id$v=19$m=31,t=1,p=4${_TAIL}", "8 times p"),
        (f"$2b$15${_BCRYPT}", "cost"),
        (f"$2b$99${_BCRYPT}", "cost"),
        (f"$2b$03${_BCRYPT}", "cost"),
        ("pbkdf2_sha256$2000001$salt$c29tZXNhbHRzb21lc2FsdA==", "iterations"),
        ("pbkdf2_sha1$1000001$salt$" + "A" * 28, "iterations"),
        ("pbkdf2_sha256$0$salt$c29tZXNhbHRzb21lc2FsdA==", "iterations"),
        ("scrypt$524288$salt$8$1$c29tZXNhbHRzb21lc2FsdA==", "memory"),
        ("scrypt$1024$salt$8$17$c29tZXNhbHRzb21lc2FsdA==", "p"),
        ("scrypt$131072$salt$8$8$c29tZXNhbHRzb21lc2FsdA==", "N times r times p"),
        ("scrypt$1000$salt$8$1$c29tZXNhbHRzb21lc2FsdA==", "power of two"),
        ("scrypt$1024$salt$0$1$c29tZXNhbHRzb21lc2FsdA==", "r or p"),
        ("$scrypt$ln=63,r=8,p=1$c2FsdA$c29tZXNhbHRzb21lc2FsdA", "memory"),
    ],
)
def test_parameters_beyond_the_limits_are_named(text: str, named: str) -> None:
    kept = read_hash(text)
    with pytest.raises(HashRefused, match=named):
        kept.check()
