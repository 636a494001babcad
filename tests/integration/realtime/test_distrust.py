"""A signing key that is not believed any more takes the connections with it that its tokens opened."""

from __future__ import annotations

from tests.fixtures.realtime import OpenDoor, Told, soon


async def test_connections_of_a_distrusted_key_are_closed_and_come_back(open_door: OpenDoor) -> None:
    door = await open_door()
    told = Told()
    client = door.client("ann/s1", events=told)
    await client.connect()
    await soon(told.connected)
    assert door.realtime.distrust("another key") == 0
    assert door.realtime.distrust("the key of these tests") == 1
    connecting = await soon(told.connecting)
    while connecting.code != 3005:
        connecting = await soon(told.connecting)
    await soon(told.connected)
