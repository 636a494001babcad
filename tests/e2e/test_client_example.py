"""The Python example of the documents does what it says."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT

import httpx

from tests.architecture.pages import DOCS, examples
from tests.e2e.test_realtime import EMAIL, PASSWORD, publish_as_anybody
from tests.fixtures.platform import Platform
from tests.fixtures.services import Vhost

PAGE = DOCS / "how-to" / "subscribe-from-a-client.md"


async def test_it_signs_in_calls_an_operation_and_hears_the_first_publication(
    platform: Platform, vhost: Vhost
) -> None:
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        person = {"email": EMAIL, "password": PASSWORD}
        assert (await http.post("/v1/auth/register", json=person)).status_code == 201
    environment = {**os.environ, "GATEWAY": platform.url, "LOGIN": EMAIL, "PASSWORD": PASSWORD}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", examples(PAGE)[0]), env=environment, stdout=PIPE, stderr=STDOUT
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(180):
            connected = await process.stdout.readline()
            await asyncio.to_thread(publish_as_anybody, vhost.url, "public:news", {"title": "first"})
            heard = await process.stdout.read()
            assert await process.wait() == 0, heard
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert connected.decode() == f"connected as {EMAIL}\n"
    assert heard.decode().endswith("{'title': 'first'}\n")
