from __future__ import annotations

import json
from typing import Any

import pytest

from libs.domain import OPERATIONS as OURS
from libs.gateway.openapi import document
from tests.unit.libs.gateway import operations as notes
from tests.unit.libs.gateway.door import Door


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The document of the notes."""
    return document(Door(notes.OPERATIONS).gate.routes, version="1.2.3")


def operation(described: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = described["paths"][path][method]
    return found


def test_every_contract_with_an_http_face_is_there_under_its_name(described: dict[str, Any]) -> None:
    names = {one["operationId"] for methods in described["paths"].values() for one in methods.values()}
    assert {one.name for one in notes.OPERATIONS if one.http} <= names
    assert "notes.internal" not in names


def test_a_public_operation_needs_no_token_and_another_one_does(described: dict[str, Any]) -> None:
    assert operation(described, "get", "/v1/ping")["security"] == []
    assert operation(described, "get", "/v1/notes/{id}")["security"] == [{"bearer": []}]
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_a_scope_is_named(described: dict[str, Any]) -> None:
    found = operation(described, "post", "/v1/clear")
    assert found["description"] == "Needs the scope `notes.clear`."
    assert "403" in found["responses"]


def test_a_body_shows_its_real_schema(described: dict[str, Any]) -> None:
    body = operation(described, "post", "/v1/notes")["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Note"}
    schema = described["components"]["schemas"]["Note"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["text"]["maxLength"] == 20


def test_a_reply_shows_its_real_schema(described: dict[str, Any]) -> None:
    responses = operation(described, "post", "/v1/notes")["responses"]
    assert responses["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Seen"}


def test_a_reply_that_waits_for_something_more_is_another_status(described: dict[str, Any]) -> None:
    responses = described["paths"]["/v1/jot"]["post"]["responses"]
    assert responses["202"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Later"}
    assert "201" in responses


def test_no_content_shows_none(described: dict[str, Any]) -> None:
    assert "content" not in operation(described, "delete", "/v1/notes/{id}")["responses"]["204"]


def test_a_request_without_fields_may_be_left_out(described: dict[str, Any]) -> None:
    assert operation(described, "post", "/v1/clear")["requestBody"]["required"] is False


def test_so_may_one_whose_fields_all_have_defaults(described: dict[str, Any]) -> None:
    body = operation(described, "delete", "/v1/memory")["requestBody"]
    assert body["required"] is False
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Confirmed"}
    assert "parameters" not in operation(described, "delete", "/v1/memory")


def test_fields_of_the_path_and_of_the_query_are_parameters(described: dict[str, Any]) -> None:
    found = operation(described, "get", "/v1/notes")["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in found] == [
        ("text", "query", True),
        ("tags", "query", False),
        ("limit", "query", False),
    ]
    (path,) = operation(described, "get", "/v1/notes/{id}")["parameters"]
    assert (path["name"], path["in"], path["required"]) == ("id", "path", True)
    assert path["schema"]["type"] == "integer"


def test_a_body_beside_a_path_has_only_the_other_fields(described: dict[str, Any]) -> None:
    found = operation(described, "patch", "/v1/notes/{id}")
    assert [one["name"] for one in found["parameters"]] == ["id"]
    schema = found["requestBody"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == ["text"]
    assert schema["required"] == ["text"]


def test_problems_are_described(described: dict[str, Any]) -> None:
    responses = operation(described, "post", "/v1/notes")["responses"]
    assert {"400", "401", "413", "415", "422", "4XX", "503", "504"} <= responses.keys()
    assert responses["401"] == {"$ref": "#/components/responses/Problem401"}
    problem = described["components"]["responses"]["Problem401"]["content"]["application/problem+json"]
    assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_what_the_gateway_answers_itself_is_there(described: dict[str, Any]) -> None:
    assert {"/healthz", "/readyz", "/.well-known/jwks.json"} <= described["paths"].keys()


def test_every_reference_leads_somewhere() -> None:
    described = document(Door(OURS).gate.routes, version="1")

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [one for value in node.values() for one in references(value)]
        if isinstance(node, list):
            return [one for value in node for one in references(value)]
        return []

    for reference in references(described):
        target: Any = described
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def test_the_document_is_json() -> None:
    assert json.loads(json.dumps(document(Door(OURS).gate.routes, version="1")))["openapi"] == "3.1.0"
