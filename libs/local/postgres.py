"""A private PostgreSQL with two roles: one owns the schema, one reads and writes rows."""

import os
import shutil
import signal
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from libs.local.child import Account, Command
from libs.local.errors import LocalError
from libs.local.programs import postgres_program
from libs.local.service import Service
from libs.local.state import State, write_private
from libs.local.tool import run_tool

DATABASE = "gatehouse"
OWNER_ROLE = "gatehouse_owner"
APP_ROLE = "gatehouse_app"
_SUPERUSER = "postgres"
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8")

# In template1, so that every database made here has them: what the owner makes, the app role may use, not change.
_ROLES = """
SET log_min_error_statement = panic; SET log_statement = none; -- no password in the log
SELECT 'CREATE ROLE ' || name FROM unnest(ARRAY['gatehouse_owner', 'gatehouse_app']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \\gexec
ALTER ROLE gatehouse_owner LOGIN PASSWORD '{owner_password}';
ALTER ROLE gatehouse_app LOGIN PASSWORD '{app_password}';
\\connect template1
ALTER DEFAULT PRIVILEGES FOR ROLE gatehouse_owner GRANT USAGE ON SCHEMAS TO gatehouse_app;
ALTER DEFAULT PRIVILEGES FOR ROLE gatehouse_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gatehouse_app;
ALTER DEFAULT PRIVILEGES FOR ROLE gatehouse_owner GRANT USAGE, SELECT ON SEQUENCES TO gatehouse_app;
\\connect postgres
SELECT 'CREATE DATABASE gatehouse OWNER gatehouse_owner'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'gatehouse') \\gexec
"""
_ACCESS = """
REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;
GRANT CONNECT ON DATABASE "{name}" TO gatehouse_app;
"""


class PostgreSQL(Service):
    """The server, its two URLs, and databases made in an instant."""

    name = "postgres"
    stop_signal: ClassVar[signal.Signals] = (
        signal.SIGINT
    )  # the fast shutdown: clients are cut, data is written

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._port = state.port("postgres")

    @property
    @override
    def url(self) -> str:
        """The database for a service: the role that reads and writes rows."""
        return self.database_url(DATABASE)

    @property
    def migration_url(self) -> str:
        """The same database for migrations: the role that owns the schema."""
        return self.migration_database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """Any database here, as the role that reads and writes rows."""
        return self._url(APP_ROLE, database)

    def migration_database_url(self, database: str) -> str:
        """Any database here, as the role that owns the schema."""
        return self._url(OWNER_ROLE, database)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Make a database with the two roles' rights; from a template nobody is connected to, in some 50 ms."""
        self._run_sql(
            f'CREATE DATABASE "{name}" OWNER {OWNER_ROLE} TEMPLATE "{template}";' + _ACCESS.format(name=name)
        )

    def drop_database(self, name: str) -> None:
        """Remove a database and cut whoever is connected to it."""
        self._run_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE);')

    @override
    def command(self) -> Command:
        account = self._account()
        home = self.state.home("postgres", account)
        self._make_cluster(home, account)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_timezone": "UTC",
        }
        flags = [flag for key, value in settings.items() for flag in ("-c", f"{key}={value}")]
        return Command(
            args=[str(postgres_program("postgres")), "-D", str(home / "cluster"), *flags],
            env={"LANG": "C.UTF-8"},
            log=self.log,
            cwd=home,
            account=account,
            last_signal=self.stop_signal,
        )

    @override
    def answers(self) -> bool:
        """Whether it takes our password; sets the roles and the database right on the way."""
        try:
            self._run_sql(
                _ROLES.format(
                    owner_password=self.state.secret(OWNER_ROLE), app_password=self.state.secret(APP_ROLE)
                )
                + _ACCESS.format(name=DATABASE)
            )
        except LocalError:
            return False
        return True

    def _account(self) -> Account | None:
        account = self.state.account("postgres")
        if self.state.as_root and account is None:
            raise LocalError("PostgreSQL does not run as root, and there is no user postgres to run it as")
        return account

    def _make_cluster(self, home: Path, account: Account | None) -> None:
        """Run initdb once; one that was cut half-way is begun again."""
        if (home / "cluster").exists():
            return
        half_made = home / "cluster.new"
        shutil.rmtree(half_made, ignore_errors=True)
        password = home / "password"
        write_private(password, self.state.secret(_SUPERUSER), account)
        options = [f"--username={_SUPERUSER}", f"--pwfile={password}", "--auth=scram-sha-256"]
        try:
            run_tool(
                [str(postgres_program("initdb")), f"--pgdata={half_made}", *options, *_LOCALE],
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                cwd=home,
                account=account,
            )
        finally:
            password.unlink()
        half_made.rename(home / "cluster")

    def _run_sql(self, sql: str) -> None:
        """Run statements as the superuser; LocalError with the server's own words when it refuses one."""
        options = [
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--host=127.0.0.1",
            f"--port={self._port}",
        ]
        run_tool(
            [str(postgres_program("psql")), *options, f"--username={_SUPERUSER}", "--dbname=postgres"],
            env={"PGPASSWORD": self.state.secret(_SUPERUSER), "LANG": "C.UTF-8", "PGCONNECT_TIMEOUT": "5"},
            typed=sql,
        )

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self.state.secret(role)}@127.0.0.1:{self._port}/{database}"
