import pytest

from libs.amqp import Endpoint


class TestParsing:
    def test_every_part_of_the_url_is_read(self) -> None:
        endpoint = Endpoint.parse("amqps://us%40er:p%2Fw@broker.example:5999/my%2Fvhost")

        assert endpoint == Endpoint(
            host="broker.example", port=5999, vhost="my/vhost", tls=True, user="us@er", password="p/w"
        )

    @pytest.mark.parametrize(("url", "port"), [("amqp://broker", 5672), ("amqps://broker", 5671)])
    def test_defaults_are_those_of_rabbitmq(self, url: str, port: int) -> None:
        endpoint = Endpoint.parse(url)

        assert (endpoint.port, endpoint.vhost, endpoint.user, endpoint.password) == (
            port,
            "/",
            "guest",
            "guest",
        )

    @pytest.mark.parametrize("url", ["amqp://broker/", "amqp://broker"])
    def test_an_empty_path_is_the_default_vhost(self, url: str) -> None:
        assert Endpoint.parse(url).vhost == "/"

    def test_an_ipv6_address_is_taken_from_its_brackets(self) -> None:
        assert Endpoint.parse("amqp://[::1]:5673/").host == "::1"

    @pytest.mark.parametrize(
        "url",
        [
            "http://user:s3cret@broker/",
            "amqp://user:s3cret@/vhost",
            "amqp://user:s3cret@broker:port/",
            "amqp://user:s3cret@broker:99999/",
            "amqp://user:s3cret@[broker/",
            "amqp://user:s3cret@broker/vhost?heartbeat=5",
            "s3cret",
        ],
    )
    def test_a_bad_url_is_refused_without_repeating_it(self, url: str) -> None:
        with pytest.raises(ValueError, match="AMQP URL") as refusal:
            Endpoint.parse(url)

        assert "s3cret" not in str(refusal.value)
        assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("amqp://user:s3cret@a..b/", "host"),
        (f"amqp://user:s3cret@{'a' * 64}.example/", "host"),
        ("amqp://user:s3cret\n@broker/", "line breaks"),
        ("amqp://user:s3cret@bro ker/", "spaces"),
        ("amqp://user:s3cret%@broker/", "password .*%25"),
        ("amqp://us%er:s3cret@broker/", "user .*%25"),
        ("amqp://user:s3cret@broker/%zz", "vhost .*%25"),
        ("amqp://user:s3cret@broker/%ff", "vhost .*UTF-8"),
        ("amqp://user:s3cret%00@broker/", "password .*NUL"),
    ],
)
def test_what_is_wrong_is_named_without_the_secret(url: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refusal:
        Endpoint.parse(url)

    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_credentials_are_never_shown() -> None:
    endpoint = Endpoint.parse("amqp://ann:s3cret@broker/vhost")

    for shown in (repr(endpoint), str(endpoint), f"{endpoint}"):
        assert "s3cret" not in shown
        assert "ann" not in shown
