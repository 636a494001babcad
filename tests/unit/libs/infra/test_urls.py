"""A URL that cannot be used stops the start by its name, without being repeated."""

import pytest
from pydantic import BaseModel, ValidationError

from libs.infra.database import DatabaseSettings
from libs.infra.migrations import MigrationSettings
from libs.infra.redis import RedisSettings

GOOD = "postgresql://app:hunter2@127.0.0.1:5432/gatehouse"


@pytest.mark.parametrize(
    ("section", "name", "url"),
    [
        (DatabaseSettings, "DATABASE_URL", "mysql://app:hunter2@127.0.0.1/x"),
        (DatabaseSettings, "DATABASE_URL", "postgresql://app:hunter2@127.0.0.1:port/x"),
        (MigrationSettings, "MIGRATION_DATABASE_URL", "hunter2"),
        (RedisSettings, "REDIS_URL", "redis://:hunter2@127.0.0.1:6379/zero"),
        (RedisSettings, "REDIS_URL", "http://:hunter2@127.0.0.1:6379/0"),
    ],
)
def test_a_wrong_url_is_named_and_not_shown(section: type[BaseModel], name: str, url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        section.model_validate({"DATABASE_URL": GOOD, name: url})

    assert name in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_good_url_is_taken() -> None:
    assert DatabaseSettings.model_validate({"DATABASE_URL": GOOD}).url.get_secret_value() == GOOD
    assert RedisSettings.model_validate({"REDIS_URL": "redis://:x@127.0.0.1:6379/3"}).url
