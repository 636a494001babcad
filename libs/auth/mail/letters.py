"""Letters: which there are, what each says, and how one waits sealed for the mail server."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from uuid import UUID

from libs.auth.sealing import Sealer


class Template(StrEnum):
    """The letters that there are; each is a pair of files, `<locale>/<name>.txt` and `.html`."""

    VERIFY = "verify"
    """A code that shows whose the address is."""
    REGISTER_TAKEN = "register_taken"
    """Somebody wanted to register an address that has an account."""
    RESET = "reset"
    """A code for a new password."""
    SIGN_IN = "sign_in"
    """A code to sign in with."""
    CHANGE = "change"
    """A code, to the new address of an account."""
    CHANGE_TAKEN = "change_taken"
    """Somebody wanted to move an account to an address that has one."""
    PASSWORD_CHANGED = "password_changed"  # ruff: ignore[hardcoded-password-string]  # the name of a letter
    """The password was reset."""
    NEW_PASSWORD = "new_password"  # ruff: ignore[hardcoded-password-string]  # the name of a letter
    """The password was changed by somebody who was signed in and knew the old one."""
    NEW_API_KEY = "new_api_key"
    """An API key was made."""
    PASSWORD_REMOVED = "password_removed"  # ruff: ignore[hardcoded-password-string]  # the name of a letter
    """A password from before the address was verified is gone."""
    INVITED = "invited"
    """An admin made an account for the address."""
    FACTORS_RESET = "factors_reset"
    """An admin removed what the account signs in with."""
    EMAIL_CHANGED = "email_changed"
    """To the old address: the account has another one."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent; without ``to`` it goes to nobody, at the same cost for whoever asked for it."""

    template: Template
    to: str
    locale: str
    values: dict[str, str] = field(default_factory=dict, repr=False)
    """`code`, `minutes`, `new_email`, `ip`, `time`: what the template may say."""

    def sealed(self, sealer: Sealer, letter_id: UUID) -> bytes:
        """The letter for whoever has the service's keys."""
        return sealer.seal(json.dumps(asdict(self)).encode(), bound_to=_bound(letter_id))

    @classmethod
    def opened(cls, sealed: bytes, sealer: Sealer, letter_id: UUID) -> Letter:
        """The letter that was sealed; raises `SealBroken`."""
        found = json.loads(sealer.open(sealed, bound_to=_bound(letter_id)))
        return cls(**{**found, "template": Template(found["template"])})


def _bound(letter_id: UUID) -> bytes:
    return b"gatehouse letter " + letter_id.bytes
