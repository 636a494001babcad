"""An event of any AMQP client, at an official client, through the stream."""

import asyncio
import json

from pydantic import SecretStr

from libs.amqp import Connection, Endpoint, Properties
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import realtime_log
from libs.realtime import RealtimeSettings, StreamLog
from tests.fixtures.realtime import Heard, OpenDoor, Told, soon
from tests.fixtures.services import Vhost


async def publish(url: str, channel: str, body: object, *, message_id: str | None = None) -> None:
    connection = await Connection.open([Endpoint.parse(url)], name="anybody")
    line = await connection.channel(confirms=True)
    await line.publish_confirmed(
        "gatehouse.events",
        "realtime.news.posted",
        json.dumps(body, indent=1).encode(),
        Properties(headers={"channel": channel}, message_id=message_id),
        mandatory=True,
    )
    await connection.close()


async def stream_log(vhost: Vhost) -> StreamLog:
    broker = BrokerSettings(url=SecretStr(vhost.url_for("gateway")))
    bus = await RabbitBus.open(broker, name="gateway")
    await bus.declare(realtime_log())
    await bus.close()
    return StreamLog(broker, RealtimeSettings())


async def test_what_any_amqp_client_publishes_reaches_a_subscriber(open_door: OpenDoor, vhost: Vhost) -> None:
    door = await open_door(log=await stream_log(vhost))
    client, heard = door.client("ann/s1"), Heard()
    await client.connect()
    await client.new_subscription("public:news", events=heard).subscribe()
    subscribed = await soon(heard.subscribed)

    await publish(vhost.url, "public:news", {"title": "it works"})

    publication = await soon(heard.publications)
    assert publication.data == {"title": "it works"}
    assert publication.tags == {"type": "realtime.news.posted"}
    assert publication.offset > subscribed.stream_position.offset


async def test_a_client_is_subscribed_to_its_personal_channel(open_door: OpenDoor, vhost: Vhost) -> None:
    door = await open_door(log=await stream_log(vhost))
    told, other = Told(), Told()
    for token, events in (("ann/s1", told), ("bob/s2", other)):
        await door.client(token, events=events).connect()
        await soon(events.subscribed)

    await publish(vhost.url, "user:#ann", {"n": 1})
    await publish(vhost.url, "user:#bob", {"n": 2})

    assert [(await soon(one.publications)).pub.data for one in (told, other)] == [{"n": 1}, {"n": 2}]
    assert told.publications.empty()
    assert other.publications.empty()


async def test_a_message_that_is_sent_again_is_heard_once(open_door: OpenDoor, vhost: Vhost) -> None:
    door = await open_door(log=await stream_log(vhost))
    client, heard = door.client("ann/s1"), Heard()
    await client.connect()
    await client.new_subscription("public:news", events=heard).subscribe()
    await soon(heard.subscribed)

    for body, message_id in (("first", "a"), ("first", "a"), ("second", "b")):
        await publish(vhost.url, "public:news", body, message_id=message_id)

    assert [(await soon(heard.publications)).data for _ in range(2)] == ["first", "second"]


async def test_two_processes_give_a_publication_the_same_offset(open_door: OpenDoor, vhost: Vhost) -> None:
    offsets = []
    listening = []
    for name in ("ann/s1", "bob/s2"):
        door = await open_door(log=await stream_log(vhost))
        client, heard = door.client(name), Heard()
        await client.connect()
        await client.new_subscription("public:news", events=heard).subscribe()
        await soon(heard.subscribed)
        listening.append(heard)

    await publish(vhost.url, "public:news", 1)

    offsets = [(await soon(heard.publications)).offset for heard in listening]
    assert offsets[0] == offsets[1]


async def test_a_client_that_comes_back_to_another_process_misses_nothing(
    open_door: OpenDoor, vhost: Vhost
) -> None:
    door = await open_door(log=await stream_log(vhost))
    client, heard = door.client("ann/s1"), Heard()
    await client.connect()
    await client.new_subscription("public:news", events=heard).subscribe()
    await soon(heard.subscribed)
    await publish(vhost.url, "public:news", 1)
    assert (await soon(heard.publications)).data == 1

    other = await open_door(log=await stream_log(vhost))
    await client.disconnect()
    await publish(vhost.url, "public:news", 2)
    await publish(vhost.url, "public:elsewhere", "not mine")
    await publish(vhost.url, "public:news", 3)
    client._address = other.url
    await client.connect()

    again = await soon(heard.subscribed)
    assert (again.was_recovering, again.recovered) == (True, True)
    assert [(await soon(heard.publications)).data for _ in range(2)] == [2, 3]


async def test_a_session_that_ends_closes_its_sockets(open_door: OpenDoor) -> None:
    door = await open_door()
    told, other = Told(), Told()
    await door.client("ann/s1", events=told).connect()
    await door.client("ann/s2", events=other).connect()
    await soon(told.connected)
    await soon(other.connected)

    assert door.realtime.revoke("s1") == 1

    closed = await soon(told.disconnected)
    assert (closed.code, closed.reason) == (3500, "session ended")
    await asyncio.sleep(0)
    assert other.disconnected.empty()
