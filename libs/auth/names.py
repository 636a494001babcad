"""Names: the form in which two ways to write the same login are equal."""

from __future__ import annotations

import unicodedata

import idna


def email_key(email: str) -> str:
    """What makes an address unique: NFKC, in lower case, its domain as the network knows it (RFC 5891, UTS #46)."""
    key = unicodedata.normalize("NFKC", email).lower()
    local, at, domain = key.rpartition("@")
    return key if domain.isascii() else local + at + _ascii(domain)


def _ascii(domain: str) -> str:
    """A domain in its ASCII form; one that can be no domain stays as it is."""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


def is_email(login: str) -> bool:
    """Whether a login names an address; a username never has an `@`."""
    return "@" in login


def login_key(login: str) -> str:
    """The form in which a login, an address or a username, is compared."""
    return email_key(login) if is_email(login) else login.lower()
