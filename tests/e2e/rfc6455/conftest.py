"""One gateway process for every rule of RFC 6455."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices
from tests.fixtures.signed import SECRET


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def url(
    services: SessionServices, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Where a gateway process takes sockets."""
    folder, vhost, postgres = tmp_path_factory.mktemp("rfc6455"), services.new_vhost(), services.postgres
    postgres.create_database("rfc6455", template=migrated_template)
    database = MigratedDatabase("rfc6455", postgres.database_url("rfc6455"), "")
    auth = auth_process(services, vhost, database, folder)
    gateway = gateway_process(services, vhost, folder, GATEWAY_REALTIME_TOKEN_SECRET=SECRET)
    async with running(auth, gateway):
        yield url_of(gateway)
    postgres.drop_database("rfc6455")
