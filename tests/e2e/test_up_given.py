"""`up` on services that are given by their URLs: it starts none of its own and ends none of theirs."""

import json
import subprocess

import httpx

from tests.fixtures.database import MigratedDatabase
from tests.fixtures.installation import Installation
from tests.fixtures.services import SessionServices, Vhost


def urls(services: SessionServices, database: MigratedDatabase, vhost: Vhost) -> dict[str, str]:
    """The services of the tests, as a user gives them."""
    return {
        "DATABASE_URL": database.url,
        "MIGRATION_DATABASE_URL": database.owner_url,
        "AMQP_URL": vhost.url,
        "REDIS_URL": services.redis.url,
        "AUTH_SMTP_URL": services.mail.url,
    }


def test_given_services_are_used_and_left_alone(
    installation: Installation, services: SessionServices, database: MigratedDatabase, vhost: Vhost
) -> None:
    given = urls(services, database, vhost)

    started = installation.run("up", "--detach", **given)

    assert started.returncode == 0, started.stdout + started.stderr
    status = installation.status()
    assert {name: status[name]["url"] for name in ("postgres", "rabbitmq", "redis", "mail")} == {
        "postgres": given["DATABASE_URL"],
        "rabbitmq": given["AMQP_URL"],
        "redis": given["REDIS_URL"],
        "mail": given["AUTH_SMTP_URL"],
    }
    assert _signs_up_and_in(status["gateway"]["url"])
    assert len(installation.processes()) == 3  # `up` itself, auth_svc, gateway
    assert installation.run("down").returncode == 0
    installation.wait_until_gone()
    assert services.rabbitmq.answers()
    assert services.redis.answers()


def test_the_lines_it_prints_work_where_addresses_are_verified_first(
    installation: Installation, services: SessionServices, database: MigratedDatabase, vhost: Vhost
) -> None:
    given = urls(services, database, vhost) | {"AUTH_EMAIL_VERIFICATION": "required"}

    started = installation.run("up", "--detach", **given)
    assert started.returncode == 0, started.stdout + started.stderr
    lines = [line for line in started.stdout.splitlines() if line.startswith(("curl ", "TOKEN=", "echo "))]
    pasted = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=installation.folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert len(lines) == 3
    me = json.loads(pasted.stdout.splitlines()[-1])
    assert (me["email"], me["email_verified"]) == ("ann@example.com", True), pasted.stdout + pasted.stderr
    assert installation.run("down").returncode == 0


def _signs_up_and_in(url: str) -> bool:
    """The gateway's word about who calls counts, although both speak as one RabbitMQ user."""
    secret = {"password": "seven green bottles"}
    with httpx.Client(base_url=f"{url}/v1/auth", timeout=60) as client:
        client.post("/register", json={"email": "max@example.com", **secret}).raise_for_status()
        tokens = client.post("/login", json={"login": "max@example.com", **secret}).raise_for_status().json()
        me = client.get("/me", headers={"authorization": f"Bearer {tokens['access_token']}"})
    return me.is_success
