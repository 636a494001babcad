"""What may be a URL of PostgreSQL."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import SecretStr


def postgres_url(url: SecretStr) -> SecretStr:
    """Refuse what is no URL of PostgreSQL before anything connects, without repeating it."""
    try:
        parts = urlsplit(url.get_secret_value())
        usable = (
            parts.scheme in {"postgresql", "postgres"}
            and bool(parts.hostname or parts.query)
            and parts.port != 0
        )
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must look like postgresql://user:password@host:port/database")
    return url
