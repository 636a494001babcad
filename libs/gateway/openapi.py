"""The OpenAPI document (3.1), made from the contracts that the gateway serves."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from libs.app import PROBLEM_MEDIA_TYPE
from libs.domain.auth import KeySet
from libs.gateway.routes import ContractRoute
from libs.messaging import PUBLIC, Problem

Json: TypeAlias = dict[str, Any]

_REF = "#/components/schemas/{model}"
_BEARER = "bearer"
_DESCRIPTION = """\
Errors are problems (RFC 9457): `code` is stable and says what happened, `errors` names the fields that cannot be accepted.
Every answer carries `X-Request-ID`; send one of your own to find a request in the logs."""


_PROBLEMS = {
    "400": "The body is not JSON",
    "401": "No access token, or none that is good",
    "403": "The access token lacks the scope",
    "413": "The body is too large",
    "415": "The body is not JSON by its type, or it is encoded",
    "422": "Some fields cannot be accepted",
    "4XX": "The service refuses",
    "502": "The service's answer is lost or cannot be read",
    "503": "The service is away or overloaded, or the gateway is not ready",
    "504": "The service did not answer in time",
    "5XX": "Something failed inside",
}


class Health(BaseModel):
    """Whether the gateway can do its work, and what it lacks."""

    status: str
    missing: list[str] = []


def document(routes: Iterable[ContractRoute], *, version: str) -> Json:
    """The document of everything that the gateway answers over HTTP."""
    routes = list(routes)
    schemas = _Schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.http.path, {})[route.http.method.lower()] = _operation(route, schemas)
    paths |= _own_paths(schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gatehouse", "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "responses": {
                _problem_name(status): {"description": text, "content": schemas.problem}
                for status, text in sorted(_PROBLEMS.items())
            },
            "securitySchemes": {
                _BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token (RFC 9068), as `POST /v1/auth/login` gives it.",
                }
            },
        },
    }


class _Schemas:
    """The JSON schemas of everything that travels, each defined once."""

    def __init__(self, routes: Iterable[ContractRoute]) -> None:
        models: list[tuple[type[BaseModel], Any]] = [
            (Problem, "serialization"),
            (Health, "serialization"),
            (KeySet, "serialization"),
        ]
        for route in routes:
            models += [
                (route.operation.request, "validation"),
                (route.operation.reply, "serialization"),
            ]
            if route.http.accepted:
                models.append((route.http.accepted, "serialization"))
        self._references, found = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
        self.definitions: Json = found["$defs"]
        self.problem: Json = {PROBLEM_MEDIA_TYPE: {"schema": self.reply(Problem)}}

    def request(self, model: type[BaseModel]) -> Json:
        """A reference to what is sent."""
        return self._references[model, "validation"]

    def reply(self, model: type[BaseModel]) -> Json:
        """A reference to what comes back."""
        return self._references[model, "serialization"]

    def definition(self, model: type[BaseModel]) -> Json:
        """The schema of a request itself."""
        name = self.request(model)["$ref"].rpartition("/")[2]
        definition: Json = self.definitions[name]
        return definition


def _operation(route: ContractRoute, schemas: _Schemas) -> Json:
    operation, http = route.operation, route.http
    described: Json = {
        "operationId": operation.name,
        "tags": [operation.service],
        "summary": operation.summary or operation.name,
        "security": [] if operation.access is PUBLIC else [{_BEARER: []}],
        "responses": {**_successes(route, schemas), **_problems(route, schemas)},
    }
    if operation.access.scope:
        described["description"] = f"Needs the scope `{operation.access.scope}`."
    if parameters := _parameters(route, schemas):
        described["parameters"] = parameters
    if http.body:
        described["requestBody"] = {
            "required": route.needs_body,
            "content": {"application/json": {"schema": _body(route, schemas)}},
        }
    return described


def _parameters(route: ContractRoute, schemas: _Schemas) -> list[Json]:
    """The fields that travel in the path, and without a body all others in the query."""
    definition = schemas.definition(route.operation.request)
    in_path = route.http.path_fields
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path or name in definition.get("required", ()),
            "schema": schema,
        }
        for name, schema in definition.get("properties", {}).items()
        if name in in_path or not route.http.body
    ]


def _body(route: ContractRoute, schemas: _Schemas) -> Json:
    """The request, without the fields that the path carries."""
    request, in_path = route.operation.request, route.http.path_fields
    if not in_path:
        return schemas.request(request)
    definition = schemas.definition(request)
    return {
        **definition,
        "properties": {name: one for name, one in definition["properties"].items() if name not in in_path},
        "required": [name for name in definition.get("required", ()) if name not in in_path],
    }


def _successes(route: ContractRoute, schemas: _Schemas) -> Json:
    """What a request that succeeds is answered with, by status."""
    replies = {route.http.status: route.operation.reply}
    if route.http.accepted:
        replies[HTTPStatus.ACCEPTED.value] = route.http.accepted
    return {str(status): _success(status, model, schemas) for status, model in replies.items()}


def _success(status: int, model: type[BaseModel], schemas: _Schemas) -> Json:
    described: Json = {"description": HTTPStatus(status).phrase}
    if status != HTTPStatus.NO_CONTENT:
        described["content"] = {"application/json": {"schema": schemas.reply(model)}}
    return described


def _problems(route: ContractRoute, schemas: _Schemas) -> Json:
    """What may go wrong, by status: the gateway's own refusals, and whatever else the service answers."""
    if route.http.oauth:  # such errors are a problem's members in the media type of RFC 6749, section 5.2
        content = {**schemas.problem, "application/json": {"schema": schemas.reply(Problem)}}
        return {"4XX": {"description": _PROBLEMS["4XX"], "content": content}, **_references({"5XX"})}
    statuses = {"422", "4XX", "502", "503", "504", "5XX"}
    if route.http.body:
        statuses |= {"400", "413", "415"}
    if route.operation.access is not PUBLIC:
        statuses.add("401")
    if route.operation.access.scope:
        statuses.add("403")
    return _references(statuses)


def _references(statuses: AbstractSet[str]) -> Json:
    return {
        status: {"$ref": f"#/components/responses/{_problem_name(status)}"} for status in sorted(statuses)
    }


def _problem_name(status: str) -> str:
    return f"Problem{status}"


def _own_paths(schemas: _Schemas) -> Json:
    """What the gateway answers by itself."""
    unavailable = {"$ref": f"#/components/responses/{_problem_name('503')}"}
    health = {"application/json": {"schema": schemas.reply(Health)}}

    def own(name: str, summary: str, model: type[BaseModel], unready: Json | None = None) -> Json:
        content = {"application/json": {"schema": schemas.reply(model)}}
        responses: Json = {"200": {"description": "OK", "content": content}}
        if unready is not None:
            responses["503"] = unready
        return {
            "get": {
                "operationId": name,
                "tags": ["gateway"],
                "summary": summary,
                "security": [],
                "responses": responses,
            }
        }

    return {
        "/.well-known/jwks.json": own(
            "gateway.jwks",
            "The public keys of access tokens (RFC 7517)",
            KeySet,
            unavailable,
        ),
        "/healthz": own("gateway.live", "Whether the process lives", Health),
        "/readyz": own(
            "gateway.ready",
            "Whether the gateway can do its work",
            Health,
            {"description": "Not now", "content": health},
        ),
    }
