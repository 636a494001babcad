"""A contract checks itself when it is declared."""

from typing import Any

import pytest

from libs.messaging import (
    AUTHENTICATED,
    PUBLIC,
    SERVICES,
    Empty,
    Event,
    Operation,
    Reply,
    Request,
    Unreadable,
    ValidationFailed,
    delete,
    get,
    post,
    scope,
)


class Named(Request):
    name: str


class Greeting(Reply):
    text: str


GREET = Operation("hall.greet", Named, Greeting)


class TestOperation:
    @pytest.mark.parametrize(
        "name", ["", "login", "auth.", "Auth.login", "auth login.now", "a." + "b" * 255, 'a.b"c']
    )
    def test_a_name_that_is_no_contract_name_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="no contract name"):
            Operation(name, Named, Greeting)

    def test_needs_a_token_unless_it_says_otherwise(self) -> None:
        assert GREET.access is AUTHENTICATED

    def test_belongs_to_the_service_that_its_name_begins_with(self) -> None:
        assert GREET.service == "hall"

    @pytest.mark.parametrize("face", [{"http": get("/v1/x")}, {"websocket": True}])
    def test_for_services_only_can_have_no_outside_face(self, face: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="services only"):
            Operation("hall.secret", Empty, Greeting, access=SERVICES, **face)

    def test_a_path_names_fields_of_the_request(self) -> None:
        with pytest.raises(ValueError, match="no field 'id'"):
            Operation("hall.find", Named, Greeting, http=get("/v1/greetings/{id}"))

    def test_its_request_travels_as_json(self) -> None:
        body = GREET.encode_request(Named(name="Ada"))

        assert body == b'{"name":"Ada"}'
        assert GREET.decode_request(body) == Named(name="Ada")

    def test_an_unknown_field_of_a_request_is_refused(self) -> None:
        with pytest.raises(ValidationFailed) as caught:
            GREET.decode_request(b'{"name":"Ada","age":36}')

        assert [one.field for one in caught.value.errors] == ["age"]

    def test_an_unknown_field_of_a_reply_is_ignored(self) -> None:
        assert GREET.decode_reply(b'{"text":"hi","since":"later"}') == Greeting(text="hi")

    def test_a_reply_of_another_shape_is_unreadable(self) -> None:
        with pytest.raises(Unreadable):
            GREET.decode_reply(b'{"words":"hi"}')

    def test_a_refused_value_is_not_repeated(self) -> None:
        with pytest.raises(ValidationFailed) as caught:
            GREET.decode_request(b'{"name": {"password": "hunter2"}}')

        assert "hunter2" not in caught.value.problem().model_dump_json()


class TestHttp:
    def test_the_path_names_request_fields(self) -> None:
        assert delete("/v1/auth/sessions/{id}").path_fields == ("id",)

    def test_tokens_are_not_stored(self) -> None:
        assert post("/v1/auth/login", no_store=True).no_store


class TestAccess:
    def test_a_scope_names_itself(self) -> None:
        assert scope("admin") == scope("admin")
        assert scope("admin") not in {PUBLIC, AUTHENTICATED, SERVICES}


class TestEvent:
    def test_realtime_names_go_to_clients(self) -> None:
        assert Event("realtime.news.posted", Greeting).client_facing
        assert not Event("auth.session.revoked", Greeting).client_facing

    def test_its_payload_travels_as_json(self) -> None:
        event = Event("hall.greeted", Greeting)

        assert event.decode(event.encode(Greeting(text="hi"))) == Greeting(text="hi")

    def test_a_payload_of_another_shape_is_refused(self) -> None:
        with pytest.raises(ValidationFailed):
            Event("hall.greeted", Greeting).decode(b"[]")
