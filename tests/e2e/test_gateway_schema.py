"""schemathesis reads the OpenAPI document and tries to make the gateway contradict it."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import httpx
import pytest

from tests.fixtures.platform import Platform

CONFIG = Path(__file__).with_name("schemathesis.toml")
ENDING = (
    "auth.logout",
    "auth.logout_all",
    "auth.delete_me",
    "auth.verify_confirm",
    "auth.change_password",
)
PERSON = {"email": "ann@example.com", "password": "seven green bottles"}


async def token(url: str) -> str:
    """The access token of a new session."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await client.post("/v1/auth/register", json=PERSON)
        tokens = await client.post(
            "/v1/auth/login", json={"login": PERSON["email"], "password": PERSON["password"]}
        )
        return str(tokens.json()["access_token"])


async def contradictions(url: str, folder: Path, *arguments: str) -> str:
    """What schemathesis says when it found some; nothing otherwise."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(CONFIG),
            "run",
            f"{url}/openapi.json",
            "--checks",
            "all",
        ),
        *(
            "--max-examples",
            "40",
            "--seed",
            "7",
            "--no-color",
            "--header",
            f"Authorization: Bearer {await token(url)}",
        ),
        *arguments,
        cwd=folder,
        stdout=PIPE,
        stderr=STDOUT,
    )
    async with asyncio.timeout(600):
        output, _ = await process.communicate()
    return output.decode() if process.returncode else ""


async def test_the_document_is_true(platform: Platform, tmp_path: Path) -> None:
    """What ends the session of all other calls has a run of its own."""
    others = [part for name in ENDING for part in ("--exclude-operation-id", name)]
    for filtered in (others, *(["--include-operation-id", name] for name in ENDING)):
        found = await contradictions(platform.url, tmp_path, *filtered)
        if found:
            pytest.fail(found)
