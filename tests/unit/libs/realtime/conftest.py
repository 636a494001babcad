"""A running node, and clients of it."""

from collections.abc import AsyncIterator

import pytest

from libs.realtime.node import Node
from tests.unit.libs.realtime.clients import FakeClient, new_node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node on a log in memory."""
    node = new_node()
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
def client(node: Node) -> FakeClient:
    """A client that has not said anything yet."""
    return FakeClient(node)


@pytest.fixture
async def ann(node: Node) -> FakeClient:
    """A client that is connected."""
    client = FakeClient(node)
    await client.connect("ann/s1")
    return client


@pytest.fixture
async def bob(node: Node) -> FakeClient:
    """Another one, of another account."""
    client = FakeClient(node)
    await client.connect("bob/s2")
    return client
