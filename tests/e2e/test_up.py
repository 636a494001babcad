"""The platform as one command brings it up: what it prints works, and it stays up when parts of it are killed."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from tests.fixtures.installation import Installation, kill


@pytest.fixture(scope="module")
def printed(installation: Installation) -> Iterator[str]:
    """What `up` has printed; the platform runs with two processes of the gateway."""
    started = installation.run("up", "--detach", "--gateway-workers", "2")
    assert started.returncode == 0, started.stdout + started.stderr
    yield started.stdout
    installation.run("down")


def _wait_for(condition: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=60).is_success
    except httpx.TransportError:
        return False


def _signed_in(url: str, email: str) -> dict[str, str]:
    """The header of a new account."""
    with httpx.Client(base_url=f"{url}/v1/auth", timeout=60) as client:
        secret = {"password": "seven green bottles"}
        client.post("/register", json={"email": email, **secret}).raise_for_status()
        tokens = client.post("/login", json={"login": email, **secret}).raise_for_status()
    return {"authorization": f"Bearer {tokens.json()['access_token']}"}


def test_the_lines_it_prints_work_when_they_are_pasted(printed: str) -> None:
    lines = [line for line in printed.splitlines() if line.startswith(("curl ", "TOKEN="))]
    assert len(lines) == 3

    pasted = subprocess.run(
        ["bash", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=180, check=False
    )

    registered, me = (json.loads(line) for line in pasted.stdout.splitlines())
    assert registered["email"] == "ann@example.com"
    assert me == registered


def test_status_says_where_everything_is(installation: Installation, printed: str) -> None:
    status = installation.status()

    assert {name: sorted(part) for name, part in status.items()} == {
        "gateway": ["pid", "url"],
        "auth_svc": ["pid", "url"],
        "postgres": ["url"],
        "rabbitmq": ["url"],
        "redis": ["url"],
        "mail": ["url"],
    }
    for name in ("gateway", "auth_svc"):
        _wait_for(partial(_ready, status[name]["url"]))
    for part in status.values():
        if "pid" in part:
            os.kill(part["pid"], 0)


def test_no_password_is_shown_to_who_looks_over_the_shoulder(
    installation: Installation, printed: str
) -> None:
    status = installation.status()
    passwords = [
        status[name]["url"].split("@")[0].rpartition(":")[2]
        for name in ("postgres", "rabbitmq", "redis", "mail")
    ]

    shown = printed + installation.run("status").stdout

    assert all(len(password) > 20 for password in passwords)
    assert not any(password in shown for password in passwords)


def test_a_second_up_says_so_and_shows_the_addresses(installation: Installation, printed: str) -> None:
    second = installation.run("up")

    assert second.returncode == 0
    assert "running already" in second.stdout
    assert installation.status()["gateway"]["url"] in second.stdout


def test_a_killed_gateway_process_hurts_nobody_and_comes_back(
    installation: Installation, printed: str
) -> None:
    gateway = installation.status()["gateway"]

    bearer = _signed_in(gateway["url"], "joe@example.com")

    kill(gateway["pid"])
    answers = [httpx.get(f"{gateway['url']}/v1/auth/me", headers=bearer, timeout=60) for _ in range(40)]

    assert {(one.status_code, one.json().get("email")) for one in answers} == {(200, "joe@example.com")}
    _wait_for(lambda: installation.status()["gateway"]["pid"] not in {None, gateway["pid"]})
    _wait_for(lambda: "does not answer" not in installation.run("status").stdout)


def test_killed_services_come_back_with_what_they_knew(installation: Installation, printed: str) -> None:
    url = installation.status()["gateway"]["url"]
    made = installation.run("accounts", "create", "kim@example.com", given="seven green bottles\n")
    assert made.returncode == 0, made.stderr
    for name in ("postgres", "redis"):
        kill(installation.pid(name))

    def signs_in() -> bool:
        body = {"login": "kim@example.com", "password": "seven green bottles"}
        return httpx.post(f"{url}/v1/auth/login", json=body, timeout=60).is_success

    _wait_for(signs_in)
    _wait_for(lambda: "does not answer" not in installation.run("status").stdout)


def test_mail_is_shown_and_comes_again_after_the_sink_was_killed(
    installation: Installation, printed: str
) -> None:
    url = installation.status()["gateway"]["url"]
    made = installation.run("accounts", "create", "mia@example.com", given="seven green bottles\n")
    assert made.returncode == 0, made.stderr

    def ask() -> None:
        asked = httpx.post(f"{url}/v1/auth/code", json={"email": "mia@example.com"}, timeout=60)
        assert asked.status_code == 202, asked.text

    def mails() -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(installation.run("mail", "--json").stdout)
        return [one for one in found if one["to"] == "mia@example.com"]

    ask()
    _wait_for(lambda: len(mails()) == 1)
    (one,) = mails()
    assert one["subject"] in installation.run("mail").stdout
    whole = installation.run("mail", str(one["number"])).stdout
    assert one["text"].strip() in whole
    assert "<html" in whole
    assert installation.run("mail", "999999").returncode == 1

    kill(installation.pid("mail"))
    ask()
    _wait_for(lambda: len(mails()) == 2)


def test_keys_are_listed_and_rotated(installation: Installation, printed: str) -> None:
    def states() -> dict[str, str]:
        rows = installation.run("keys", "list").stdout.splitlines()[1:]
        return {row.split()[0]: row.split()[2] for row in rows}

    def state(kid: str) -> str:
        return states()[kid]

    before = states()
    following = next(kid for kid, state in before.items() if state == "next")
    rotated = installation.run("keys", "rotate")

    assert following in rotated.stdout
    assert state(following) == "signing"
    assert len(states()) == len(before) + 1

    early = installation.run("keys", "rotate").stdout
    assert "by itself" in early
    assert state(following) == "signing"
    assert "from now on" in installation.run("keys", "rotate", "--now").stdout
    assert state(following) == "retired"
    assert installation.run("keys", "revoke", following).returncode == 0
    assert state(following) == "revoked"
    assert installation.run("keys", "revoke", "nonsense").returncode == 1


def test_accounts_are_made_once_and_shut(installation: Installation, printed: str) -> None:
    made = installation.run(
        "accounts", "create", "lee@example.com", "--username", "lee", given="seven green bottles\n"
    )
    again = installation.run("accounts", "create", "lee@example.com", given="seven green bottles\n")
    wrong = installation.run("accounts", "create", "lee", given="short\n")
    shut = installation.run("accounts", "disable", "lee")
    nobody = installation.run("accounts", "disable", "nobody")

    assert [one.returncode for one in (made, again, wrong, shut, nobody)] == [0, 1, 1, 0, 1]
    assert [line.partition(":")[0] for line in wrong.stderr.splitlines()] == ["email", "password"]
    assert "Traceback" not in "".join(one.stderr for one in (made, again, wrong, shut, nobody))


def test_the_first_admin_is_made_and_stays(installation: Installation, printed: str) -> None:
    given = "seven green bottles\n"
    made = installation.run("accounts", "create", "root@example.com", "--admin", given=given)
    url = installation.status()["gateway"]["url"]
    login = {"login": "root@example.com", "password": given.strip()}
    token = httpx.post(f"{url}/v1/auth/login", json=login, timeout=60).json()["access_token"]
    found = httpx.get(
        f"{url}/v1/admin/accounts",
        params={"email": "root@example.com"},
        headers={"authorization": f"Bearer {token}"},
        timeout=60,
    )
    shut = installation.run("accounts", "disable", "root@example.com")
    taken = installation.run("accounts", "role", "take", "root@example.com", "admin")

    assert (made.returncode, "with the role admin" in made.stdout) == (0, True), made.stderr
    assert found.json()["accounts"][0]["roles"] == ["admin"]
    assert [one.returncode for one in (shut, taken)] == [1, 1]
    assert "last account" in shut.stderr
    assert "Traceback" not in shut.stderr + taken.stderr


def test_service_accounts_are_made_and_sign_in(installation: Installation, printed: str) -> None:
    made = installation.run("accounts", "service", "create", "billing", "--scope", "notes:read")
    again = installation.run("accounts", "service", "create", "billing")
    wrong = installation.run("accounts", "service", "create", "other", "--scope", 'a"b')
    said = dict(line.split(None, 1) for line in made.stdout.splitlines()[:2])
    url = installation.status()["gateway"]["url"]
    client = (said["client_id"], said["client_secret"])
    asked = {"grant_type": "client_credentials"}
    token = httpx.post(f"{url}/v1/auth/token", data=asked, auth=client, timeout=60)
    listed = installation.run("accounts", "service", "list").stdout
    shut = installation.run("accounts", "service", "disable", "billing")
    unknown = installation.run("accounts", "service", "secret", "billing")

    assert [one.returncode for one in (made, again, wrong, shut, unknown)] == [0, 1, 1, 0, 1]
    assert token.json()["scope"] == "notes:read"
    assert said["client_id"] in listed
    assert said["client_secret"] not in listed
    assert "Traceback" not in "".join(one.stderr for one in (made, again, wrong, shut, unknown))


def test_logs_are_shown_by_name(installation: Installation, printed: str) -> None:
    """All of it: the services that were killed above have left many lines behind the first ones."""
    whole = installation.run("logs", "auth_svc", "--lines", "100000").stdout
    assert "service_ready" in whole
    assert installation.run("logs", "auth_svc", "--lines", "1").stdout.count("\n") == 1
    unknown = installation.run("logs", "nonsense")
    assert unknown.returncode == 2
    assert "gateway" in unknown.stderr


def test_migrating_again_changes_nothing(installation: Installation, printed: str) -> None:
    assert installation.run("migrate").returncode == 0
