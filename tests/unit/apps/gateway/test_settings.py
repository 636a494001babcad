from __future__ import annotations

from pathlib import Path

import pytest

from apps.gateway.settings import GatewaySettings
from libs.app import SettingsInvalid, load_settings
from libs.app.settings import variables


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """What the gateway must be told, and nothing else."""
    monkeypatch.chdir(tmp_path)
    for variable in variables(GatewaySettings):
        monkeypatch.delenv(variable.env, raising=False)
    monkeypatch.setenv("AMQP_URL", "amqp://gateway:hunter2@127.0.0.1/")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter3@127.0.0.1/0")
    return monkeypatch


def test_two_addresses_are_enough(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings(GatewaySettings)
    assert settings.http is not None
    assert settings.edge is not None
    assert (settings.http.host, settings.http.port, settings.http.reuse_port) == ("127.0.0.1", 8000, False)
    assert settings.edge.max_body == 65_536
    assert settings.revocation.max_age == 60


def test_lists_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example")
    environment.setenv("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1")
    edge = load_settings(GatewaySettings).edge
    assert edge is not None
    assert edge.cors_origins == {"https://a.example", "https://b.example"}
    assert [str(network) for network in edge.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32"]


def test_wrong_values_are_named_one_line_each(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GATEWAY_PORT", "99999")
    environment.setenv("GATEWAY_REUSE_PORT", "perhaps")
    environment.setenv("GATEWAY_TRUSTED_PROXIES", "everyone")
    environment.setenv("GATEWAY_REALTIME_NAMESPACES", "{")
    environment.delenv("REDIS_URL")
    with pytest.raises(SettingsInvalid) as failed:
        load_settings(GatewaySettings)
    assert sorted(line.partition(":")[0] for line in failed.value.lines) == [
        "GATEWAY_PORT",
        "GATEWAY_REALTIME_NAMESPACES",
        "GATEWAY_REUSE_PORT",
        "GATEWAY_TRUSTED_PROXIES",
        "REDIS_URL",
    ]


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    shown = repr(load_settings(GatewaySettings))
    assert "hunter2" not in shown
    assert "hunter3" not in shown
