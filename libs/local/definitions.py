"""What RabbitMQ imports at its start: the users, each with rights to its own names and no others, and their vhosts."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from itertools import starmap
from typing import Any

OPERATOR = "gatehouse"
_EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}

# Names every service needs: the exchanges all share, the log of client-facing events, the steps of retries, the
# queues that belong to one process, and the reply queue the server names.
_SHARED = (
    r"gatehouse\.(rpc|events|dead|retry)",
    r"gatehouse\.realtime",
    r"gatehouse\.retry\..+",
    r"gatehouse\.control\..+",
    r"amq\.gen-.+",
)
_DEFAULT_EXCHANGE = r"amq\.default"  # replies and the realtime log go straight to a queue


def service_permissions(service: str) -> dict[str, str]:
    """The rights of the RabbitMQ user of a service: `configure`, `write`, `read`, a pattern of names each.

    No service can read or remove the queues of another.
    """
    own = rf"gatehouse\.(rpc|events|dead)\.{service}(\..+)?"
    declared = (*_SHARED, own)
    return {
        "configure": _any_of(declared),
        "write": _any_of((*declared, _DEFAULT_EXCHANGE)),
        "read": _any_of(declared),
    }


def definitions(users: Mapping[str, str], vhosts: Iterable[str]) -> dict[str, Any]:
    """A definitions document: users with their passwords (hashed), and for each vhost everyone's rights.

    A user is called after its process, `auth_svc`, and has the rights of its service, `auth`.
    """
    return {
        "users": list(starmap(_user, users.items())),
        "vhosts": [{"name": vhost} for vhost in vhosts],
        "permissions": [
            {"user": user, "vhost": vhost, **_permissions(user)} for vhost in vhosts for user in users
        ],
    }


def _permissions(user: str) -> dict[str, str]:
    return _EVERYTHING if user == OPERATOR else service_permissions(user.removesuffix("_svc"))


def _user(name: str, password: str) -> dict[str, Any]:
    # The salt is derived, so that the same password gives the same document at every start.
    salt = hashlib.sha256(f"salt of {name}:{password}".encode()).digest()[:4]
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode("ascii")
    return {
        "name": name,
        "password_hash": hashed,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"] if name == OPERATOR else [],
    }


def _any_of(patterns: Iterable[str]) -> str:
    return f"^({'|'.join(patterns)})$"
