from __future__ import annotations

import json

import pytest
from fastapi import FastAPI, HTTPException

from libs.app.problem import ProblemResponse, RequestTimeout, of_http, problem_of, render_errors
from libs.messaging import FieldError, Overloaded, ValidationFailed
from tests.unit.libs.app.asgi import Answer, ask


def app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    render_errors(app)

    @app.get("/items/{number}")
    async def item(number: int) -> int:
        if number == 1:
            raise Overloaded("too much")
        if number == 2:
            raise HTTPException(418, "a teapot", headers={"x-pot": "tea"})
        return number

    @app.post("/items")
    async def add(texts: list[str]) -> int:
        return len(texts)

    return app


async def problem(method: str, path: str) -> tuple[Answer, dict[str, object]]:
    answer = await ask(app(), method, path)
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("cache-control") == "no-store"
    return answer, json.loads(answer.body)


async def test_an_error_of_the_tree_is_told_by_its_code() -> None:
    answer, body = await problem("GET", "/items/1")
    assert (answer.status, body["code"], body["detail"]) == (503, "rpc.overloaded", "too much")
    assert answer.header("retry-after") == "1"


async def test_a_path_without_a_route_is_a_problem() -> None:
    answer, body = await problem("GET", "/nothing")
    assert (answer.status, body["code"]) == (404, "http.not_found")


async def test_a_method_without_a_route_is_a_problem_and_names_those_there_are() -> None:
    answer, body = await problem("DELETE", "/items/3")
    assert (answer.status, body["code"]) == (405, "http.method_not_allowed")
    assert answer.header("allow") == "GET"


async def test_a_wrong_parameter_is_named() -> None:
    answer, body = await problem("GET", "/items/three")
    assert (answer.status, body["code"]) == (422, "validation.failed")
    assert body["errors"] == [
        {
            "field": "path.number",
            "message": "Input should be a valid integer, unable to parse string as an integer",
        }
    ]


async def test_a_body_that_is_no_json_is_a_bad_request() -> None:
    answer = await ask(app(), "POST", "/items", headers=[("content-type", "application/json")], body=[b"{"])
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "validation.failed")


async def test_any_other_refusal_of_the_framework_keeps_its_status_and_headers() -> None:
    answer, body = await problem("GET", "/items/2")
    assert (answer.status, body["code"], body["detail"]) == (418, "http.refused", "a teapot")
    assert answer.header("x-pot") == "tea"


def test_an_unexpected_error_tells_nothing_of_itself() -> None:
    response = problem_of(RuntimeError("SELECT password FROM credentials"))
    assert response.status_code == 500
    assert json.loads(bytes(response.body))["code"] == "internal"
    assert b"SELECT" not in bytes(response.body)


def test_field_errors_travel() -> None:
    response = ProblemResponse(ValidationFailed(errors=[FieldError(field="login", message="Field required")]))
    assert json.loads(bytes(response.body))["errors"] == [{"field": "login", "message": "Field required"}]


def test_a_body_that_did_not_come_in_time_ends_the_connection() -> None:
    assert ProblemResponse(RequestTimeout()).headers["connection"] == "close"


@pytest.mark.parametrize(("status", "code"), [(404, "http.not_found"), (413, "http.body_too_large")])
def test_a_status_of_the_framework_becomes_the_class_that_has_it(status: int, code: str) -> None:
    assert of_http(HTTPException(status)).code == code
