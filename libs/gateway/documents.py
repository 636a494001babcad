"""What the gateway publishes about itself: its public keys, its OpenAPI document, and a page to read it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.gateway.keys import PublicKeys
from libs.gateway.openapi import document
from libs.gateway.routes import ContractRoute

_ASSETS = files(__package__) / "swagger_ui"
_VERSION = "0.1.0"
_JWKS_SECONDS = 300  # well below the time that a key is published before it signs
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)

DOCUMENT_PATHS = frozenset(
    {
        "/.well-known/jwks.json",
        "/docs",
        "/docs/page.js",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/openapi.json",
    }
)
"""Where these are found; none needs a token."""


def document_routes(routes: Iterable[ContractRoute], keys: PublicKeys) -> APIRouter:
    """The routes; scripts and styles are served from here, so that the page asks no one else."""
    described = json.dumps(document(routes, version=_VERSION)).encode()
    page = (_ASSETS / "page.html").read_bytes()
    script = (_ASSETS / "page.js").read_bytes()

    async def jwks(_request: Request) -> Response:
        headers = {"cache-control": f"public, max-age={_JWKS_SECONDS}"}
        return Response(keys.jwks, media_type="application/json", headers=headers)

    async def openapi(_request: Request) -> Response:
        return Response(described, media_type="application/json", headers={"cache-control": "no-cache"})

    async def docs(_request: Request) -> Response:
        headers = {
            "content-security-policy": _PAGE_POLICY,
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-cache",
        }
        return Response(page, media_type="text/html", headers=headers)

    async def page_script(_request: Request) -> Response:
        return Response(script, media_type="text/javascript", headers={"cache-control": "no-cache"})

    return APIRouter(
        routes=[
            Route("/.well-known/jwks.json", jwks),
            Route("/openapi.json", openapi),
            Route("/docs", docs),
            Route("/docs/page.js", page_script),
            Route("/docs/swagger-ui-bundle.js", _packed("swagger-ui-bundle.js", "text/javascript")),
            Route("/docs/swagger-ui.css", _packed("swagger-ui.css", "text/css")),
        ]
    )


def _packed(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """A file that lies here compressed, for whoever takes it so, and unpacked for the others."""
    packed = (_ASSETS / f"{name}.gz").read_bytes()
    headers = {"cache-control": "public, max-age=86400", "vary": "accept-encoding"}

    async def serve(request: Request) -> Response:
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=media_type, headers={**headers, "content-encoding": "gzip"})
        unpacked = await asyncio.to_thread(gzip.decompress, packed)
        return Response(unpacked, media_type=media_type, headers=headers)

    return serve
