"""Languages: which ones a request asks for (RFC 9110, section 12.5.4)."""

from __future__ import annotations

import re

_MOST = 10  # languages of one header that are looked at
_WISH = re.compile(r"\s*([A-Za-z]{2,3})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


def languages(header: str) -> list[str]:
    """The primary tags of an `Accept-Language`, in lower case, the most wanted first."""
    wishes = []
    for part in header.split(",")[:_MOST]:
        found = _WISH.fullmatch(part)
        if found and (weight := float(found[2] or 1)) > 0:
            wishes.append((weight, found[1].lower()))
    wishes.sort(key=lambda wish: -wish[0])
    return list(dict.fromkeys(language for _, language in wishes))
