"""What the command hands to the processes it starts."""

import os
from pathlib import Path

import pytest

from apps.auth_svc.settings import AuthSettings
from apps.cli import settings
from apps.cli.platform import private_services
from apps.cli.settings import Environment, as_environment, bare_environment
from apps.gateway.settings import GatewaySettings
from libs.app import variables


def test_ours_stands_above_what_was_given() -> None:
    given = Environment({"PATH": "/bin", "REDIS_URL": "redis://theirs"})

    assert given.merged({"REDIS_URL": "redis://ours"}) == {"PATH": "/bin", "REDIS_URL": "redis://ours"}


def test_an_empty_variable_leaves_the_place_to_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("REDIS_URL=redis://file\nAMQP_URL=\n", encoding="utf-8")
    monkeypatch.setattr(settings, "ROOT", tmp_path)

    with as_environment({"REDIS_URL": "", "PATH": "/bin"}):
        assert Environment.read().variables == {"PATH": "/bin", "REDIS_URL": "redis://file"}


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


def test_every_setting_of_a_service_is_one_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a mistake in its name is not told, and tests and benchmarks inherit it."""
    names = {one.env for one in (*variables(GatewaySettings), *variables(AuthSettings))}
    for name in names:
        monkeypatch.setenv(name, "anything")

    assert names.isdisjoint(bare_environment())
