"""Tokens of a running platform, verified by libraries that know nothing but its published keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import joserfc.jwk
import joserfc.jwt
import jwt
import pytest

from libs.infra.jwt import ALGORITHMS, Algorithm
from tests.fixtures.accounts import PASSWORD, auth_world, eventually, key_settings
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import Platform

WHO = "gatehouse"
LOGIN = {"login": "ann@example.com", "password": PASSWORD}


def by_pyjwt(token: str, jwks: Mapping[str, Any]) -> Mapping[str, Any]:
    key = jwt.PyJWKSet.from_dict(dict(jwks))[jwt.get_unverified_header(token)["kid"]]
    said: Mapping[str, Any] = jwt.decode(
        token,
        key,
        algorithms=list(ALGORITHMS),
        audience=WHO,
        issuer=WHO,
        options={"require": ["exp", "iat", "sub", "jti", "client_id"]},
    )
    return said


def by_joserfc(token: str, jwks: Mapping[str, Any]) -> Mapping[str, Any]:
    keys = joserfc.jwk.KeySet.import_key_set({"keys": jwks["keys"]})
    found = joserfc.jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    assert found.header["typ"] == "at+jwt"
    demands = joserfc.jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": WHO}, aud={"essential": True, "value": WHO}, exp={"essential": True}
    )
    demands.validate(found.claims)
    return found.claims


async def signs_in(http: httpx.AsyncClient, wanted: Algorithm) -> str:
    """A token that is signed with this algorithm, as soon as auth_svc does so."""
    found: list[str] = []

    async def signed() -> bool:
        found.append((await http.post("/v1/auth/login", json=LOGIN)).json()["access_token"])
        return bool(jwt.get_unverified_header(found[-1])["alg"] == wanted)

    await eventually(signed)
    return found[-1]


async def published(http: httpx.AsyncClient, kids: set[str]) -> dict[str, Any]:
    """The gateway's keys, once it has heard of all of these."""
    found: list[dict[str, Any]] = []

    async def all_known() -> bool:
        found.append((await http.get("/.well-known/jwks.json")).json())
        return kids <= {key["kid"] for key in found[-1]["keys"]}

    await eventually(all_known)
    return found[-1]


# RFC 9864 prefers the name Ed25519 to EdDSA, of which joserfc reminds; most libraries know the older name alone.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("opinion", [by_pyjwt, by_joserfc])
async def test_they_believe_tokens_of_every_algorithm_side_by_side(
    platform: Platform,
    database: MigratedDatabase,
    opinion: Callable[[str, Mapping[str, Any]], Mapping[str, Any]],
) -> None:
    """The algorithm of a running platform is changed twice, and no token of before is lost."""
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        account = await http.post("/v1/auth/register", json={"email": LOGIN["login"], "password": PASSWORD})
        tokens = [await signs_in(http, "ES256")]
        others: tuple[Algorithm, ...] = ("RS256", "EdDSA")
        for algorithm in others:
            async with auth_world(
                database.url, keys=key_settings(algorithm=algorithm), relayed=False
            ) as world:
                await world.keys.rotate(at_once=True)
            tokens.append(await signs_in(http, algorithm))
        jwks = await published(http, {jwt.get_unverified_header(token)["kid"] for token in tokens})
        assert {jwt.get_unverified_header(token)["alg"] for token in tokens} == set(ALGORITHMS)
        for token in tokens:
            assert opinion(token, jwks)["sub"] == account.json()["id"]
            me = await http.get("/v1/auth/me", headers={"authorization": f"Bearer {token}"})
            assert me.status_code == 200
