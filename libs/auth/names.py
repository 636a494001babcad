"""Names: the form in which two ways to write the same login are equal."""

from __future__ import annotations

import unicodedata


def email_key(email: str) -> str:
    """What makes an address unique: NFKC, in lower case."""
    return unicodedata.normalize("NFKC", email).lower()


def is_email(login: str) -> bool:
    """Whether a login names an address; a username never has an `@`."""
    return "@" in login


def login_key(login: str) -> str:
    """The form in which a login, an address or a username, is compared."""
    return email_key(login) if is_email(login) else login.lower()
