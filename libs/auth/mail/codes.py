"""Codes: what a letter carries, and how it is tied to the request that it was sent for.

A code has 8 digits, which is little; so it opens nothing by itself. It is kept as an HMAC under the request's id, 256 bits
that only whoever asked has: who reads the database cannot find the code, and who reads the mailbox has no request.

Anybody can ask for codes to somebody's address and guess. Of short ones 100 in a row may be wrong for one address until there
was none for a day, which finds one in a day with a likelihood of 100 / 10^8, one in a million. From then on letters carry long
codes, and a short one is refused: nobody is kept out, least of all the owner, who reads the letter. A long code has 66 bits,
and no count is needed any more (OWASP ASVS 6.6.3 and NIST SP 800-63B, section 3.1.3, draw the line at 64): a billion guesses
find one with a likelihood of 10^9 / 10^20, one in a hundred thousand million, and five a request are far from a billion a day.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

from libs.auth.names import email_key
from libs.auth.sealing import Sealer, derived_key

SHORT = 8
"""Digits of a code (RFC 4226, section 5.3 asks for 6 at least)."""
LONG = 20
"""Digits of a code for an address at which many were guessed."""
_GROUP = 4
_ID_BYTES = 32
_CODE = b"gatehouse mail code"
_DETAILS = b"gatehouse mail details"


def new_request_id() -> str:
    """256 random bits in base64url."""
    return secrets.token_urlsafe(_ID_BYTES)


def new_code(digits: int) -> str:
    """So many random digits."""
    return f"{secrets.randbelow(10**digits):0{digits}}"


def shown(code: str) -> str:
    """The code as people read it: in groups."""
    return " ".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def typed(code: str) -> str:
    """The code as people type it, without spaces and dashes."""
    return re.sub(r"[\s-]", "", code)


def request_hash(request_id: str) -> bytes:
    """What is stored of a request's id: it is random enough for a plain SHA-256."""
    return sha256(request_id.encode()).digest()


def code_hash(request_id: str, code: str) -> bytes:
    """What is stored of a code."""
    return hmac.digest(derived_key(request_id.encode(), _CODE), code.encode(), "sha256")


def address_hash(email: str) -> bytes:
    """What is stored of an address, to see that it is still the same."""
    return sha256(email_key(email).encode()).digest()


def seal_details(request_id: str, details: bytes) -> bytes:
    """What the request is about, for whoever confirms it, and for nobody who only has the database."""
    return _sealer(request_id).seal(details, bound_to=request_hash(request_id))


def open_details(request_id: str, sealed: bytes) -> bytes:
    """What was sealed with the same id; raises `SealBroken`."""
    return _sealer(request_id).open(sealed, bound_to=request_hash(request_id))


def _sealer(request_id: str) -> Sealer:
    return Sealer(derived_key(request_id.encode(), _DETAILS))
