"""What the command hands to the processes it starts."""

import os

from apps.cli.platform import private_services
from apps.cli.settings import Environment, as_environment


def test_ours_stands_above_what_was_given() -> None:
    given = Environment({"PATH": "/bin", "REDIS_URL": "redis://theirs"})

    assert given.merged({"REDIS_URL": "redis://ours"}) == {"PATH": "/bin", "REDIS_URL": "redis://ours"}


def test_a_process_is_not_told_what_is_not_for_it() -> None:
    given = Environment({"PATH": "/bin", "MIGRATION_DATABASE_URL": "postgresql://owner"})

    assert given.merged({}, without=("MIGRATION_DATABASE_URL",)) == {"PATH": "/bin"}


def test_a_service_whose_url_is_given_is_not_a_private_one() -> None:
    assert private_services(Environment({})) == ["postgres", "rabbitmq", "redis", "mail"]
    assert private_services(Environment({"AMQP_URL": "amqp://there"})) == ["postgres", "redis", "mail"]


def test_another_environment_holds_for_a_block_only() -> None:
    before = dict(os.environ)

    with as_environment({"ONLY": "this"}):
        assert dict(os.environ) == {"ONLY": "this"}

    assert dict(os.environ) == before


def test_a_name_in_env_that_nobody_knows_is_told_with_the_nearest() -> None:
    given = Environment({}, frozenset({"GATEWAY_PROT", "GATEWAY_PORT", "EDITOR"}))

    assert given.mistaken({"GATEWAY_PORT"}) == [
        "GATEWAY_PROT: there is no setting of this name; did you mean GATEWAY_PORT?"
    ]
