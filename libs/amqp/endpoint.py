"""Where a broker listens, with the credentials that open it."""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from typing_extensions import override

_PORTS: Final = {"amqp": 5672, "amqps": 5671}


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
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("an AMQP URL has the form amqp://user:password@host:port/vhost") from None
        if parts.scheme not in _PORTS or not host:
            raise ValueError("an AMQP URL has the form amqp://user:password@host:port/vhost")
        if parts.query or parts.fragment:
            raise ValueError(
                "an AMQP URL takes no query and no fragment here; connection options are arguments"
            )
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            vhost=unquote(parts.path[1:]) or "/",
            tls=parts.scheme == "amqps",
            user=unquote(parts.username) if parts.username is not None else "guest",
            password=unquote(parts.password) if parts.password is not None else "guest",
        )

    @override
    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
