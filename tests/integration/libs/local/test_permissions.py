"""The broker itself keeps a service from the queues of another."""

import aio_pika
import aiormq
import pytest

from libs.messaging import topology as wire
from tests.fixtures.services import Vhost


async def _declared_by(vhost: Vhost, user: str, queue: str) -> None:
    connection = await aio_pika.connect(vhost.url_for(user))
    try:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True)
    finally:
        await connection.close()


async def _consumed_by(vhost: Vhost, user: str, queue: str) -> None:
    connection = await aio_pika.connect(vhost.url_for(user))
    try:
        channel = await connection.channel()
        await (await channel.get_queue(queue, ensure=False)).get(fail=False)
    finally:
        await connection.close()


async def test_a_service_reads_its_own_queue(vhost: Vhost) -> None:
    await _declared_by(vhost, "auth_svc", wire.rpc_queue("auth"))
    await _consumed_by(vhost, "auth_svc", wire.rpc_queue("auth"))


async def test_the_gateway_cannot_read_what_auth_svc_is_asked(vhost: Vhost) -> None:
    await _declared_by(vhost, "auth_svc", wire.rpc_queue("auth"))

    with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
        await _consumed_by(vhost, "gateway", wire.rpc_queue("auth"))


async def test_the_gateway_cannot_take_the_place_of_auth_svc(vhost: Vhost) -> None:
    with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
        await _declared_by(vhost, "gateway", wire.rpc_queue("auth", "hashing"))
