"""The suite of centrifuge-python, unmodified, against a gateway on the real log."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tarfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from centrifuge import Client, DeltaType
from dotenv import dotenv_values

from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import ServiceProcess, auth_process, gateway_process, running
from tests.fixtures.realtime import Heard, Told, soon
from tests.fixtures.services import SessionServices, Vhost
from tests.unit.libs.realtime.test_tokens import token

HERE = Path(__file__).parent
LEFT_OUT = "tests.test_client.TestAutoRecovery.test_auto_recovery"
"""It counts on offsets that grow by one; ours are positions in the log (docs/reference/realtime.md)."""
SECONDS = 420.0


def pip() -> list[str]:
    """pip, also where uv made the environment without it."""
    return [sys.executable, "-m", "pip"] if find_spec("pip") else ["uv", "tool", "run", "pip"]


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution, its hash checked."""
    folder = tmp_path_factory.mktemp("suite")
    chosen = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "--requirement", "requirements.txt"]
    fetched = subprocess.run(
        [*pip(), "download", "--quiet", *chosen, "--dest", str(folder)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert fetched.returncode == 0, fetched.stderr
    packed = next(folder.glob("*.tar.gz"))
    with tarfile.open(packed) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none
        archive.extractall(folder)  # ruff: ignore[tarfile-unsafe-members]  # what pip has checked by its hash
    return packed.with_name(packed.name.removesuffix(".tar.gz"))


@pytest.fixture
async def gateway(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[ServiceProcess]:
    """A gateway as the suite needs it."""
    wanted = {name: value or "" for name, value in dotenv_values(HERE / "python.env").items()}
    gateway = gateway_process(services, vhost, tmp_path, **wanted)
    async with running(auth_process(services, vhost, database, tmp_path), gateway):
        yield gateway


async def test_the_suite_passes_but_for_what_counts_on_offsets_by_one(
    suite: Path, gateway: ServiceProcess, tmp_path: Path
) -> None:
    report, port = tmp_path / "report.json", gateway.variables["GATEWAY_PORT"]
    command = [sys.executable, str(HERE / "python_suite.py"), str(suite), port, str(report), LEFT_OUT]
    process = await asyncio.create_subprocess_exec(*command, cwd=suite, stdout=PIPE, stderr=STDOUT)
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert report.exists(), output.decode()[-10_000:]
    said = json.loads(report.read_text(encoding="utf-8"))
    assert said["failed"] == []
    assert said["skipped"] == []
    assert LEFT_OUT in said["found"]
    assert said["run"] == len(said["found"]) - 1


@pytest.mark.parametrize("use_protobuf", [False, True], ids=["json", "protobuf"])
@pytest.mark.parametrize("delta", [None, DeltaType.FOSSIL], ids=["whole", "delta"])
async def test_what_the_one_left_out_is_about_holds_too(
    gateway: ServiceProcess, use_protobuf: bool, delta: DeltaType | None
) -> None:
    """A client that was away gets all ten publications, once, in the order of their offsets."""
    url = f"ws://127.0.0.1:{gateway.variables['GATEWAY_PORT']}/connection/websocket"
    options = {"use_protobuf": use_protobuf, "proxy": None}
    away, told, heard = Client(url, token=token("secret", sub="42"), **options), Told(), Heard()
    away.events = told
    other = Client(url, token=token("secret", sub="42"), **options)
    permit = token("secret", sub="42", channel="recovered")
    missed = away.new_subscription("recovered", token=permit, events=heard, delta=delta)
    speaking = other.new_subscription("recovered", token=permit, delta=delta)
    for client, subscription in ((away, missed), (other, speaking)):
        await client.connect()
        await subscription.subscribe()
    assert not (await soon(heard.subscribed)).recovered
    await away.disconnect()

    said = [{"number": number, "text": "much the same as before"} for number in range(10)]
    for one in said:
        await speaking.publish(json.dumps(one).encode() if use_protobuf else one)
    await away.connect()

    again = await soon(heard.subscribed)
    assert (again.was_recovering, again.recovered) == (True, True)
    got = [await soon(heard.publications) for _ in said]
    assert [json.loads(one.data) if use_protobuf else one.data for one in got] == said
    offsets = [one.offset for one in got]
    assert offsets == sorted(set(offsets))
    await away.disconnect()
    await other.disconnect()
