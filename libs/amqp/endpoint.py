"""Where a broker listens, with the credentials that open it."""

import re
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from typing_extensions import override

_PORTS: Final = {"amqp": 5672, "amqps": 5671}
_FORM: Final = "an AMQP URL has the form amqp://user:password@host:port/vhost"
_INVISIBLE: Final = re.compile(r"[\x00-\x20\x7f]")
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address of a broker. Its repr and str never show the credentials."""

    host: str
    port: int
    vhost: str = "/"
    tls: bool = False
    user: str = field(default="guest", repr=False)
    password: str = field(default="guest", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `amqp[s]://user:password@host:port/vhost`; an empty path is the vhost `/`.

        Raises ValueError, whose message never repeats the URL: it holds the password.
        """
        if _INVISIBLE.search(url):
            raise ValueError(
                "an AMQP URL has no spaces, line breaks or control characters; write %20, %0A, ..."
            )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError(_FORM) from None
        if parts.scheme not in _PORTS or not host:
            raise ValueError(_FORM)
        if parts.query or parts.fragment:
            raise ValueError(
                "an AMQP URL takes no query and no fragment here; connection options are arguments"
            )
        return cls(
            host=_host(host),
            port=port or _PORTS[parts.scheme],
            vhost=_decoded("vhost", parts.path[1:]) or "/",
            tls=parts.scheme == "amqps",
            user=_decoded("user", "guest" if parts.username is None else parts.username),
            password=_decoded("password", "guest" if parts.password is None else parts.password),
        )

    @override
    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _host(name: str) -> str:
    """A name that can be looked up: no empty label, none of more than 63 characters (RFC 1035 section 2.3.4)."""
    try:
        name.encode("idna")
    except UnicodeError:
        raise ValueError("the host of an AMQP URL is no name that can be looked up") from None
    return name


def _decoded(part: str, text: str) -> str:
    """A part of the URL without its percent-encoding (RFC 3986 section 2.1)."""
    if _BARE_PERCENT.search(text):
        raise ValueError(
            f"the {part} of an AMQP URL has a % without two hexadecimal digits; write %25 for a %"
        )
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"the {part} of an AMQP URL is not UTF-8") from None
    if "\0" in decoded:
        raise ValueError(f"the {part} of an AMQP URL has a NUL in it")
    return decoded
