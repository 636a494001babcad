"""The e-mail flows as a client meets them: through the gateway, with letters read from a mail sink."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from libs.local import Mail, MailSink
from tests.fixtures.accounts import PASSWORD, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.mail import NEW_PASSWORD, code_in
from tests.fixtures.platform import ServiceProcess, auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost

ANN = {"email": "ann@example.com", "password": PASSWORD}
BY_PASSWORD = {"login": "ann@example.com", "password": PASSWORD}


class Letters:
    """What comes to the sink from now on."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink
        kept = sink.mailbox.all()
        self._seen = kept[-1].number if kept else 0

    async def next(self) -> Mail:
        def fresh() -> list[Mail]:
            return [one for one in self._sink.mailbox.all() if one.number > self._seen]

        await eventually(lambda: bool(fresh()), within=90)
        one = fresh()[0]
        self._seen = one.number
        return one

    async def code(self) -> str:
        return code_in(await self.next())


class World:
    """A platform whose mail goes to the sink of the tests."""

    def __init__(
        self, services: SessionServices, vhost: Vhost, database: MigratedDatabase, folder: Path
    ) -> None:
        self._services = services
        self._vhost = vhost
        self._database = database
        self._folder = folder
        self.letters = Letters(services.mail)

    def auth(self, **variables: str) -> ServiceProcess:
        given = {"AUTH_SMTP_URL": self._services.mail.url, "AUTH_HASH_PASSES": "1", **variables}
        return auth_process(self._services, self._vhost, self._database, self._folder, **given)

    @asynccontextmanager
    async def client(self, **variables: str) -> AsyncGenerator[httpx.AsyncClient]:
        proxies = {"GATEWAY_TRUSTED_PROXIES": "127.0.0.1"}
        gateway = gateway_process(self._services, self._vhost, self._folder, **proxies)
        base = f"{url_of(gateway)}/v1/auth"
        async with (
            running(self.auth(**variables), gateway),
            httpx.AsyncClient(base_url=base, timeout=60) as client,
        ):
            yield client


async def registered(client: httpx.AsyncClient) -> None:
    answer = await client.post("/register", json=ANN)
    assert answer.status_code == 201, answer.text


async def signed_in(client: httpx.AsyncClient, **other: str) -> dict[str, str]:
    """The header of whoever signs in by password."""
    answer = await client.post("/login", json=BY_PASSWORD | other)
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def refused(client: httpx.AsyncClient, bearer: dict[str, str]) -> None:
    """Wait until the gateway has heard that the session is over."""

    async def ended() -> bool:
        return "auth.session_ended" in (await client.get("/me", headers=bearer)).text

    await eventually(ended)


@pytest.fixture
def world(services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path) -> World:
    return World(services, vhost, database, tmp_path)


async def test_a_forgotten_password_is_replaced_in_the_clients_language(world: World) -> None:
    async with world.client() as client:
        await registered(client)
        before = await signed_in(client)
        asked = await client.post(
            "/password/reset", json={"email": ANN["email"]}, headers={"accept-language": "ru"}
        )
        assert (asked.status_code, asked.headers["cache-control"]) == (202, "no-store")
        assert set(asked.json()) == {"request_id", "expires_in"}
        letter = await world.letters.next()
        assert "пароль" in letter.body("html")

        body = {"request_id": asked.json()["request_id"], "code": code_in(letter)}
        answer = await client.post("/password/reset/confirm", json={**body, "new_password": NEW_PASSWORD})
        assert (answer.status_code, answer.content) == (204, b"")
        await refused(client, before)
        assert (await client.post("/login", json=BY_PASSWORD)).status_code == 401
        await signed_in(client, password=NEW_PASSWORD)
        again = await client.post("/password/reset/confirm", json={**body, "new_password": NEW_PASSWORD})
        assert (again.status_code, again.json()["code"]) == (401, "auth.code_invalid")


async def test_the_address_is_verified_changed_and_signed_in_with(world: World) -> None:
    async with world.client() as client:
        await registered(client)
        bearer = await signed_in(client)
        assert (await client.post("/verify")).status_code == 401
        asked = await client.post("/verify", headers=bearer)
        body = {**asked.json(), "code": await world.letters.code()}
        body.pop("expires_in")
        assert (await client.post("/verify/confirm", json=body)).status_code == 204

        sent = (await client.post("/code", json={"email": ANN["email"]})).json()
        body = {"request_id": sent["request_id"], "code": await world.letters.code()}
        confirmed = await client.post("/code/confirm", json=body)
        assert (confirmed.status_code, confirmed.headers["cache-control"]) == (200, "no-store")
        bearer = {"authorization": f"Bearer {confirmed.json()['access_token']}"}
        assert (await client.get("/me", headers=bearer)).json()["email_verified"]

        asked = await client.post("/email", json={"email": "new@example.com"}, headers=bearer)
        assert asked.status_code == 202
        body = {"request_id": asked.json()["request_id"], "code": await world.letters.code()}
        assert (await client.post("/email/confirm", json=body, headers=bearer)).status_code == 204
        assert (await client.get("/me", headers=bearer)).json()["email"] == "new@example.com"
        assert (await world.letters.next()).recipient == "ann@example.com"


async def test_nobody_learns_whether_an_address_has_an_account(world: World) -> None:
    async with world.client(AUTH_EMAIL_VERIFICATION="required") as client:
        asked = await client.post("/register", json=ANN)
        assert (asked.status_code, set(asked.json())) == (202, {"request_id", "expires_in"})
        refused = await client.post("/login", json=BY_PASSWORD)
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.invalid_credentials")
        body = {"request_id": asked.json()["request_id"], "code": await world.letters.code()}
        assert (await client.post("/verify/confirm", json=body)).status_code == 204
        assert (await client.post("/login", json=BY_PASSWORD)).status_code == 200

        again = await client.post("/register", json=ANN)
        assert (again.status_code, set(again.json())) == (202, {"request_id", "expires_in"})
        assert "already" in (await world.letters.next()).subject
        for path in ("/password/reset", "/code"):
            answers = [
                await client.post(path, json={"email": email}) for email in (ANN["email"], "no@example.com")
            ]
            assert [one.status_code for one in answers] == [202, 202]
            assert {tuple(one.json()) for one in answers} == {("request_id", "expires_in")}
            assert len({len(one.content) for one in answers}) == 1


async def test_a_registration_that_nobody_confirms_is_no_account(world: World) -> None:
    async with world.client(AUTH_EMAIL_VERIFICATION="required") as client:
        first = await client.post("/register", json=ANN | {"username": "ann"})
        first_code = await world.letters.code()
        for path in ("/code", "/password/reset"):
            assert (await client.post(path, json={"email": ANN["email"]})).status_code == 202
        second = await client.post("/register", json=ANN | {"username": "annie"})
        letter = await world.letters.next()
        assert "confirm your address" in letter.subject  # the letter of the registration: there was no other

        body = {"request_id": second.json()["request_id"], "code": code_in(letter)}
        assert (await client.post("/verify/confirm", json=body)).status_code == 204
        body = {"request_id": first.json()["request_id"], "code": first_code}
        late = await client.post("/verify/confirm", json=body)
        assert (late.status_code, late.json()["code"]) == (401, "auth.code_invalid")
        me = (await client.get("/me", headers=await signed_in(client, login="annie"))).json()
        assert (me["email"], me["username"], me["email_verified"]) == (ANN["email"], "annie", True)

        bob = await client.post("/register", json=ANN | {"email": "bob@example.com", "username": "annie"})
        body = {"request_id": bob.json()["request_id"], "code": await world.letters.code()}
        taken = await client.post("/verify/confirm", json=body)
        assert (taken.status_code, taken.json()["code"]) == (409, "auth.account_exists")


async def test_who_asks_too_often_is_told_when_to_come_back(world: World, services: SessionServices) -> None:
    services.redis.flush()
    async with world.client(AUTH_MAIL_ADDRESS_PER_HOUR="1") as client:
        body = {"email": "no@example.com"}
        assert (await client.post("/code", json=body)).status_code == 202
        refused = await client.post("/code", json=body)
        elsewhere = await client.post("/code", json=body, headers={"x-forwarded-for": "198.51.100.9"})
    assert elsewhere.status_code == 202
    assert (refused.status_code, refused.json()["code"]) == (429, "auth.too_many_attempts")
    assert int(refused.headers["retry-after"]) > 0


async def test_a_letter_outlives_the_process_that_was_to_send_it(
    world: World, services: SessionServices, vhost: Vhost, tmp_path: Path
) -> None:
    gateway = gateway_process(services, vhost, tmp_path)
    first, sink = world.auth(AUTH_SMTP_TIMEOUT="1"), services.mail
    base = f"{url_of(gateway)}/v1/auth"
    first.start()  # the gateway is ready once it has heard from it
    async with running(gateway), httpx.AsyncClient(base_url=base, timeout=60) as client:
        assert (await client.post("/register", json=ANN)).status_code == 201
        sink.kill()
        asked = await client.post("/password/reset", json={"email": ANN["email"]})
        first.send(signal.SIGKILL)
        await first.ended()
        sink.start()
        async with running(world.auth(AUTH_SMTP_TIMEOUT="1")):
            letter = await world.letters.next()
            body = {"request_id": asked.json()["request_id"], "code": code_in(letter)}
            confirmed = await client.post(
                "/password/reset/confirm", json={**body, "new_password": NEW_PASSWORD}
            )
    assert confirmed.status_code == 204
    assert code_in(letter) not in first.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("template", "said"),
    [("Subject: Hello\n\n{{ code\n", "en/reset.txt:3: "), ("Hello\n", "en/reset.txt:1: ")],
)
async def test_a_broken_template_stops_the_start_by_its_name(
    world: World, tmp_path: Path, template: str, said: str
) -> None:
    file = tmp_path / "templates" / "en" / "reset.txt"
    file.parent.mkdir(parents=True)
    file.write_text(template, encoding="utf-8")
    one = world.auth(AUTH_MAIL_TEMPLATES=str(tmp_path / "templates"))
    one.start()
    assert await one.ended() == 1
    (line,) = [line for line in one.lines if "cannot start" in line]
    assert f"{tmp_path}/templates/{said}" in line


async def test_verification_without_a_mail_server_does_not_start(world: World) -> None:
    one = world.auth(AUTH_SMTP_URL="", AUTH_EMAIL_VERIFICATION="required")
    one.start()
    assert await one.ended() == 1
    assert "AUTH_EMAIL_VERIFICATION=required needs AUTH_SMTP_URL" in one.log.read_text(encoding="utf-8")
