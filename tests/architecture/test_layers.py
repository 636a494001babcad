"""Who may import whom."""

import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

import pytest

from tests.architecture.tree import PRODUCT, ROOT, imports, name, sources

DOORS: Mapping[str, AbstractSet[str]] = MappingProxyType(
    {
        "pamqp": {"libs/amqp/"},
        "redis": {"libs/infra/redis.py"},
        "jwt": {"libs/infra/jwt.py"},
        "asyncpg": {"libs/infra/database.py"},
        "sqlalchemy.ext.asyncio": {"libs/infra/database.py", "libs/auth/", "libs/outbox/"},
        "argon2": {"libs/auth/passwords.py", "libs/auth/hash_formats/argon2.py"},
        "bcrypt": {"libs/auth/hash_formats/bcrypt.py"},
        "alembic": {"libs/infra/migrations.py"},
        "psutil": {"libs/local/"},
        "httpx": {"libs/infra/http_client.py"},
        "typer": {"apps/cli/"},
        "rich": {"apps/cli/"},
        "prometheus_client": {
            "libs/app/",
            "libs/gateway/",
            "libs/messaging/metrics.py",
            "libs/realtime/strays.py",
        },
        "uvicorn": {"libs/app/server.py", "libs/app/bounded_http.py", "libs/realtime/transport.py"},
    }
)


def test_the_import_contracts_are_kept() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("client", DOORS)
def test_a_foreign_client_has_one_door(client: str) -> None:
    strangers = [
        f"{name(path)}:{line}"
        for path in sources(*PRODUCT)
        for module, line in imports(path)
        if (module == client or module.startswith(client + "."))
        and not any(name(path).startswith(door) for door in DOORS[client])
    ]

    assert strangers == []
