"""The gateway has no database, and its process loads nothing that speaks to one."""

import subprocess
import sys

from tests.architecture.tree import ROOT

HEAVY = ("sqlalchemy", "asyncpg", "alembic", "argon2", "libs.auth", "libs.outbox", "libs.infra.database")
PROGRAM = f"""
import sys
import apps.gateway.gateway_main
heavy = {HEAVY!r}
print(*sorted(name for name in sys.modules if name in heavy or name.startswith(tuple(one + "." for one in heavy))))
"""


def test_its_process_loads_no_database_and_no_password_hashing() -> None:
    """A look into `sys.modules` sees what a package's `__init__` pulls in, which the import contracts do not."""
    loaded = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert loaded.stdout.split() == []
