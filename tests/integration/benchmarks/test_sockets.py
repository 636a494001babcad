"""The fan-out benchmark's peers and load, at a tiny size: every client has every message that a peer says it sent."""

import pytest

from benchmarks.fanout import PEERS
from benchmarks.process import child, cores
from benchmarks.sockets.terms import FIRST, GATEWAY_PATH

CLIENTS = 5
TEXT = "y" * 64
MESSAGE = f'{{"push":{{"channel":"public:bench","pub":{{"data":{{"n":{FIRST},"text":"{TEXT}"}}}}}}}}'


@pytest.mark.parametrize("peer", PEERS)
async def test_a_load_counts_what_a_peer_sends(peer: str) -> None:
    server_core, load_core = cores()
    async with child("benchmarks.sockets.peer", peer, core=server_core, job={"message": MESSAGE}) as server:
        job = {
            "port": (await server.order("port"))["port"],
            "path": GATEWAY_PATH,
            "tokens": [],
            "channels": [],
        }
        async with child("benchmarks.sockets", core=load_core, job=job) as load:
            connected = await load.order(f"connect {CLIENTS}")
            await load.order("expect 10")
            await server.order(f"burst {FIRST} 10")
            finished = await load.order("finish")
            counted = await load.order(f"accounted {FIRST} 10")

    assert connected["connections"] == CLIENTS
    assert finished["closed"] == 0
    assert counted["deliveries"] == 10 * CLIENTS
    assert [counted[name] for name in ("missing", "doubled", "disordered")] == [0, 0, 0]
