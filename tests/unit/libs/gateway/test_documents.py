from __future__ import annotations

import gzip
import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from libs.gateway import DOCUMENT_PATHS, document_routes
from tests.unit.libs.app.asgi import Answer, ask
from tests.unit.libs.gateway import operations as notes
from tests.unit.libs.gateway.door import AuthService, Door

ROOT = Path(__file__).resolve().parents[4]
PACKAGE = ROOT / "libs/gateway/swagger_ui"


class World(Door):
    def __init__(self) -> None:
        super().__init__(notes.OPERATIONS, open_paths=DOCUMENT_PATHS)
        self.behind.router.routes.extend(document_routes(self.gate.routes, self.keys).routes)

    async def get(self, path: str, **headers: str) -> Answer:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return await ask(self.app, path=path, headers=named)


async def test_the_public_keys_may_be_cached() -> None:
    world = World()
    await world.bus.serve(AuthService(world.issuer).handlers())
    await world.keys.load()
    answer = await world.get("/.well-known/jwks.json")
    assert [key["kid"] for key in json.loads(answer.body)["keys"]] == [world.issuer.keys[0].kid]
    assert answer.header("cache-control") == "public, max-age=300"


async def test_before_the_keys_are_known_their_page_says_so() -> None:
    answer = await World().get("/.well-known/jwks.json")
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "rpc.unavailable")
    assert answer.header("cache-control") == "no-store"


async def test_the_document_is_served() -> None:
    answer = await World().get("/openapi.json")
    assert "/v1/notes" in json.loads(answer.body)["paths"]


async def test_its_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert json.loads((await World().get("/openapi.json")).body)["info"]["version"] == project["version"]


async def test_the_page_asks_nobody_but_us() -> None:
    world = World()
    page = (await world.get("/docs")).body.decode()
    script = (await world.get("/docs/page.js")).body.decode()
    asked = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r'url: "([^"]+)"', script)
    assert "//" not in page
    for path in asked:
        if not path.startswith("data:"):
            assert (await world.get(f"/{path}")).status == 200


async def test_the_pages_policy_lets_nothing_else_in() -> None:
    policies = (await World().get("/docs")).all("content-security-policy")
    assert policies[0].startswith("default-src 'none'; script-src 'self';")


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css"])
async def test_scripts_and_styles_come_compressed_for_those_who_can(name: str) -> None:
    world = World()
    packed = await world.get(f"/docs/{name}", accept_encoding="gzip, deflate")
    plain = await world.get(f"/docs/{name}")
    assert packed.header("content-encoding") == "gzip"
    assert plain.header("content-encoding") is None
    assert gzip.decompress(packed.body) == plain.body
    assert packed.header("vary") == "accept-encoding"


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css"])
def test_they_are_what_was_published(name: str) -> None:
    written = (PACKAGE / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256(gzip.decompress((PACKAGE / f"{name}.gz").read_bytes())).hexdigest()
    assert f"{digest}  {name}" in written


async def test_every_document_is_open_to_all() -> None:
    world = World()
    await world.bus.serve(AuthService(world.issuer).handlers())
    await world.keys.load()
    assert {path: (await world.get(path)).status for path in DOCUMENT_PATHS} == dict.fromkeys(
        DOCUMENT_PATHS, 200
    )


async def test_the_page_is_dressed_for_browsers() -> None:
    answer = await World().get("/docs")
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "no-referrer"
