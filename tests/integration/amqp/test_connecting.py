import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.amqp import (
    CallTimeout,
    Connection,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionLost,
    Endpoint,
    Queue,
)
from libs.local import RabbitMQ
from tests.fixtures.ports import held_port
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import Vhost
from tests.integration.amqp.certificates import write_certificates
from tests.integration.amqp.conftest import FAST, Connect, eventually


def _erlang(raw: bytes) -> str:
    """Bytes as an Erlang expression."""
    return f'base64:decode(<<"{base64.b64encode(raw).decode()}">>)'


async def test_any_of_several_hosts_will_do(connect: Connect, amqp_url: str) -> None:
    dead = f"amqp://guest:guest@127.0.0.1:{held_port()}/"

    for _ in range(5):  # the order is random
        connection = await connect(dead, amqp_url)
        assert connection.is_open
        assert str(connection.endpoint) == str(Endpoint.parse(amqp_url))


async def test_another_host_takes_over(connect: Connect, amqp_url: str) -> None:
    async with Proxy.to(amqp_url) as first, Proxy.to(amqp_url) as second:
        connection = await connect(first.url(amqp_url), second.url(amqp_url))
        for _ in range(3):
            down, up = (first, second) if _port(connection) == first.port else (second, first)
            up.refuse, down.refuse = False, True
            down.cut()
            await eventually(lambda port=up.port: connection.is_open and _port(connection) == port)  # type: ignore[misc]  # bound per turn


def _port(connection: Connection) -> int:
    return 0 if connection.endpoint is None else connection.endpoint.port


async def test_every_endpoint_that_failed_is_named_with_its_reason(amqp_url: str) -> None:
    port = held_port()
    dead = Endpoint.parse(f"amqp://ann:s3cret@127.0.0.1:{port}/")
    wrong = Endpoint.parse(amqp_url.replace("//gatehouse:", "//nobody:"))

    with pytest.raises(ConnectionFailed) as failure:
        await Connection.open([dead, wrong], name="test", timeout=30)

    assert f"127.0.0.1:{port}" in str(failure.value)
    assert "ACCESS_REFUSED" in str(failure.value)


async def test_a_vhost_that_does_not_exist_is_named(vhost: Vhost) -> None:
    endpoint = Endpoint.parse(vhost.url.replace(vhost.name, "no-such-vhost"))

    with pytest.raises(ConnectionFailed, match=r"530 NOT_ALLOWED.*no-such-vhost"):
        await Connection.open([endpoint], name="test", timeout=30)


async def test_credentials_are_in_no_log_and_no_exception(
    amqp_url: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = Endpoint.parse(amqp_url).password
    connection = await Connection.open(
        [Endpoint.parse(proxy.url(amqp_url))], name="test", timeout=30, backoff=FAST
    )
    proxy.refuse = True
    proxy.cut()
    await eventually(lambda: "not connected" in caplog.text)
    await connection.close()
    refused = Endpoint.parse(amqp_url.replace(f":{password}@", ":s3cret@"))
    with pytest.raises(ConnectionFailed) as failure:
        await Connection.open([refused], name="test", timeout=30)

    shown = caplog.text + repr(failure.value) + repr(connection) + repr(connection.endpoint)
    assert password not in shown
    assert "s3cret" not in shown


async def test_a_host_that_never_answers_is_given_up_in_time(proxy: Proxy, amqp_url: str) -> None:
    proxy.swallow = True

    async with asyncio.timeout(30):
        with pytest.raises(ConnectionFailed, match=r"no answer within 0\.2 s"):
            await Connection.open([Endpoint.parse(proxy.url(amqp_url))], name="test", timeout=0.2)


async def test_something_that_is_no_broker_is_given_up() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    endpoint = Endpoint(host="127.0.0.1", port=server.sockets[0].getsockname()[1])

    async with server:
        with pytest.raises(ConnectionFailed):
            await Connection.open([endpoint], name="test", timeout=30)


async def test_a_broker_of_another_version_is_told_apart() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"AMQP\x00\x01\x00\x00")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    endpoint = Endpoint(host="127.0.0.1", port=server.sockets[0].getsockname()[1])

    async with server:
        with pytest.raises(ConnectionFailed, match="another version"):
            await Connection.open([endpoint], name="test", timeout=30)


class TestHeartbeats:
    async def test_a_silent_connection_stays_open_by_beats_of_both_sides(self, connect: Connect) -> None:
        """The broker drops a client that is silent for six seconds, and we one that is silent for four and a half."""
        connection = await connect(heartbeat=3)
        lost: list[ConnectionLost] = []
        connection.on_lost(lost.append)

        await asyncio.sleep(8)

        assert lost == []
        assert connection.is_open

    async def test_a_broker_that_falls_silent_is_given_up(
        self, connect: Connect, proxy: Proxy, amqp_url: str
    ) -> None:
        connection = await connect(proxy.url(amqp_url), heartbeat=1)
        lost: list[ConnectionLost] = []
        connection.on_lost(lost.append)

        proxy.swallow = True
        await eventually(lambda: len(lost) == 1)
        proxy.swallow = False

        assert "was silent for 1.5 s" in str(lost[0])
        await connection.wait_open(30)


class TestTls:
    @pytest.fixture
    async def tls_port(self, broker: RabbitMQ, tmp_path: Path) -> AsyncIterator[int]:
        """A TLS listener of the real broker."""
        port = held_port()
        certificate, key = write_certificates(tmp_path / "ca.pem")
        options = f"[{{cert,{_erlang(certificate)}}},{{key,{{'PrivateKeyInfo',{_erlang(key)}}}}},{{verify,verify_none}}]"
        start = f'rabbit_networking:start_ssl_listener({{"127.0.0.1",{port}}}, {options}, 1).'
        await asyncio.to_thread(broker.evaluate, start)
        yield port
        stop = f'rabbit_networking:stop_tcp_listener({{"127.0.0.1",{port}}}).'
        await asyncio.to_thread(broker.evaluate, stop)

    async def test_a_connection_is_encrypted_and_checked(
        self, connect: Connect, tls_port: int, tmp_path: Path, amqp_url: str
    ) -> None:
        plain = Endpoint.parse(amqp_url)
        url = amqp_url.replace("amqp://", "amqps://").replace(
            f"@127.0.0.1:{plain.port}", f"@localhost:{tls_port}"
        )
        trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")

        connection = await connect(url, ssl=trusting)
        channel = await connection.channel(confirms=True)
        queue = await channel.declare_queue(Queue(exclusive=True))
        await channel.publish_confirmed("", queue.name, b"x" * 500_000, mandatory=True)

        with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):
            await connect(url)  # the system trusts no such authority


class TestClosing:
    async def test_a_closed_connection_says_so(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)
        await connection.close()
        await connection.close()

        assert not connection.is_open
        with pytest.raises(ConnectionClosed):
            channel.publish("", "q", b"body")
        with pytest.raises(ConnectionClosed):
            await channel.ready()
        with pytest.raises(ConnectionClosed):
            await channel.declare_queue(Queue(name="q"))
        with pytest.raises(ConnectionClosed):
            await connection.channel()
        with pytest.raises(ConnectionClosed):
            await connection.wait_open()

    async def test_a_closed_channel_says_so_and_frees_its_number(self, connection: Connection) -> None:
        channel = await connection.channel(confirms=True)
        await channel.close()
        await channel.close()

        with pytest.raises(ConnectionClosed):
            channel.publish("", "q", b"body")
        with pytest.raises(ConnectionClosed):
            await channel.ready()
        assert (await connection.channel()).number == channel.number

    async def test_a_channel_close_that_is_answered_late_disturbs_nobody(
        self, proxied: Connection, proxy: Proxy
    ) -> None:
        channel = await proxied.channel(confirms=True)
        proxy.delay = 0.2
        with pytest.raises(CallTimeout):
            await channel.close(0.05)
        other = await proxied.channel(confirms=True)
        proxy.delay = 0

        assert other.number != channel.number
        await eventually(lambda: not channel.protocol.is_attached)
        assert (await proxied.channel()).number == channel.number

    async def test_a_channel_whose_opening_is_given_up_is_closed(
        self, proxied: Connection, proxy: Proxy
    ) -> None:
        proxy.delay = 0.2
        with pytest.raises(CallTimeout):
            await proxied.channel(timeout=0.05)
        other = await proxied.channel()
        proxy.delay = 0

        assert other.number == 3
        await eventually(lambda: proxied._channels.free_number(100) == 2)  # the late answers have come
        assert (await proxied.channel()).number == 2

    async def test_closing_is_bounded_when_the_broker_is_silent(
        self, proxied: Connection, proxy: Proxy
    ) -> None:
        channel = await proxied.channel(confirms=True)
        confirmation = channel.submit("", "q", b"body")
        proxy.swallow = True

        async with asyncio.timeout(30):
            await proxied.close(0.2)

        with pytest.raises(ConnectionClosed):
            await confirmation

    async def test_closing_while_reconnecting_leaves_no_task_behind(
        self, proxied: Connection, proxy: Proxy
    ) -> None:
        proxy.refuse = True
        proxy.cut()
        await eventually(lambda: not proxied.is_open)

        await proxied.close()

        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]  # coroutines have names
        assert not any("Connection" in name or "Mender" in name for name in names)

    async def test_the_broker_that_closes_the_connection_is_quoted(
        self, connection: Connection, vhost: Vhost
    ) -> None:
        lost: list[ConnectionLost] = []
        connection.on_lost(lost.append)

        await asyncio.to_thread(
            vhost.rabbitmq.ctl, "close_all_connections", "--vhost", vhost.name, "because we can"
        )
        await eventually(lambda: len(lost) == 1)
        await connection.wait_open(30)

        assert "320 CONNECTION_FORCED - because we can" in str(lost[0])


async def test_many_channels_share_a_connection(connection: Connection) -> None:
    channels = [await connection.channel(confirms=True) for _ in range(20)]
    queues = [await channel.declare_queue(Queue(exclusive=True)) for channel in channels]

    await asyncio.gather(
        *[
            channel.publish_confirmed("", queue.name, b"body", mandatory=True)
            for channel, queue in zip(channels, queues, strict=True)
        ]
    )

    assert len({channel.number for channel in channels}) == 20
