"""API keys at a gateway, asked about over RabbitMQ, and judged by the auth service's own rules."""

from __future__ import annotations

import asyncio

import pytest

from libs.auth.callers import Origin
from libs.domain.auth import (
    VALIDATE_API_KEY,
    ApiKeyRef,
    ApiKeyValidation,
    CreateApiKeyRequest,
    TokenInvalid,
    ValidateApiKeyRequest,
)
from libs.gateway import ApiKeyCacheSettings, ApiKeys
from libs.messaging import Caller, Handlers, Unavailable
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import served
from tests.fixtures.accounts import AuthWorld
from tests.fixtures.services import Vhost


class Questions:
    """Answers as the auth service does, and counts how often it is asked."""

    def __init__(self, auth: AuthWorld) -> None:
        self.asked = 0
        self._validate = auth.rules.api_keys.validate

    async def validate(self, request: ValidateApiKeyRequest, caller: Caller) -> ApiKeyValidation:
        self.asked += 1
        return await self._validate(request, caller)


async def opened(vhost: Vhost, user: str) -> RabbitBus:
    settings = BrokerSettings.model_validate({"url": vhost.url_for(user), "drain_timeout": 5})
    return await RabbitBus.open(settings, name=user)


async def refused(keys: ApiKeys, key: str, *, times: int) -> bool:
    """Whether each of so many at once is told that the key is bad."""
    answers = await asyncio.gather(*(keys.believe(key) for _ in range(times)), return_exceptions=True)
    return all(isinstance(one, TokenInvalid) for one in answers)


async def test_bad_keys_cost_a_question_each_however_often_they_come(auth: AuthWorld, vhost: Vhost) -> None:
    await auth.register()
    owner = auth.caller(await auth.login())
    made = await auth.rules.api_keys.create(CreateApiKeyRequest(name="backup"), owner)
    questions, table = Questions(auth), Handlers("auth")
    table.on(VALIDATE_API_KEY, questions.validate)
    service, gateway = await opened(vhost, "auth_svc"), await opened(vhost, "gateway")
    keys = ApiKeys(gateway, ApiKeyCacheSettings())
    try:
        with pytest.raises(Unavailable):
            await keys.believe(made.key)  # nobody answers yet
        await service.declare(served(table))
        await service.serve(table)
        many = await asyncio.gather(*(keys.believe(made.key) for _ in range(100)))
        assert {one.identity.sid for one in many} == {str(made.id)}
        assert questions.asked == 1
        for _ in range(2):
            assert await refused(keys, made.key[:-43] + "A" * 43, times=100)
        assert questions.asked == 2
        await auth.rules.api_keys.revoke(ApiKeyRef(id=made.id), owner)
        keys.forget(str(made.id))
        for _ in range(2):
            assert await refused(keys, made.key, times=100)
        assert questions.asked == 3
    finally:
        await gateway.close()
        await service.close()


async def test_a_key_that_was_refused_is_never_good_again(auth: AuthWorld) -> None:
    """So a gateway may keep the refusal: an account that is opened again does not get its keys back."""
    account = await auth.register()
    owner = auth.caller(await auth.login())
    made = await auth.rules.api_keys.create(CreateApiKeyRequest(name="backup"), owner)
    await auth.closing.disable(account.id, Origin())
    async with auth.storage.transaction() as stored:
        assert await stored.administered.enable(account.id, auth.clock.now())
    await auth.login()
    asked = ValidateApiKeyRequest(key=made.key)
    assert not (await auth.rules.api_keys.validate(asked, owner)).active
