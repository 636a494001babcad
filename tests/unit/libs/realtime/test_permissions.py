"""Deny by default: every rule of a namespace, every kind of client, every kind of channel; what is not listed is refused."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, get_args

import pytest
from typing_extensions import override

from libs.messaging import Caller
from libs.realtime.channels import Channel
from libs.realtime.doorkeeper import Doorkeeper, SubscribeAnswer, SubscribeQuestion
from libs.realtime.node import Node
from libs.realtime.ports import Presence, Present
from libs.realtime.protocol import ClientInfo
from libs.realtime.settings import Namespace, Rule, Who
from libs.realtime.tokens import SharedSecret
from tests.fixtures.signed import SECRET, signed, signed_claims
from tests.unit.libs.realtime.clients import FakeClient, new_node

ACCOUNT, FOREIGN, ANONYMOUS = "ann", "guest", ""
CLIENTS = {ACCOUNT: "ann/s1", FOREIGN: signed(FOREIGN), ANONYMOUS: ""}
PLAIN, OTHERS, PRIVATE = "a", "a#bob", "$a"
RULES: Sequence[Rule] = get_args(Rule)
DENIED = (103, "permission denied")


def own(client: str) -> str:
    """A channel that names the client alone."""
    return f"a#{client}"


OPENED: Mapping[str, frozenset[tuple[str, str]]] = {
    "anyone": frozenset({(ACCOUNT, PLAIN), (FOREIGN, PLAIN), (ANONYMOUS, PLAIN)}),
    "authenticated": frozenset({(ACCOUNT, PLAIN), (FOREIGN, PLAIN)}),
    "owner": frozenset({(ACCOUNT, own(ACCOUNT))}),
    "token": frozenset(),
    "service": frozenset({(ACCOUNT, PLAIN), (FOREIGN, PLAIN), (ANONYMOUS, PLAIN)}),
}
"""Whom a rule alone lets into which channels without a subscription token; the service of these tests lets everybody in."""


class Open(Doorkeeper):
    """Lets everybody in."""

    @override
    async def __call__(
        self, channel: Channel, question: SubscribeQuestion, caller: Caller
    ) -> SubscribeAnswer:
        return SubscribeAnswer()


class Nobody(Presence):
    """A presence in which there is never anybody."""

    @override
    async def write(self, *, present: Sequence[Present] = (), gone: Sequence[Present] = ()) -> None:
        """Nothing."""

    @override
    async def clients(self, channel: str) -> Mapping[str, ClientInfo]:
        return {}


def named(namespace: str, channel: str) -> str:
    """The channel's whole name; what makes it private stands first."""
    return f"${namespace}:{channel[1:]}" if channel == PRIVATE else f"{namespace}:{channel}"


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A namespace for each rule alone, one for none, and one for each word that says who may ask or publish."""
    rules = {rule: Namespace(subscribe=frozenset({rule})) for rule in RULES}
    guests = {"guests": Namespace(subscribe=frozenset({"owner"}), foreign_users=True)}
    who = {
        f"may-{one}": Namespace(
            subscribe=frozenset({"authenticated"}),
            publish=one,
            read_history=one,
            read_presence=one,
            presence=True,
            history_size=5,
            history_seconds=60,
        )
        for one in get_args(Who)
    }
    bare = {
        "nothing": Namespace(),
        "bare": Namespace(subscribe=frozenset({"authenticated"}), publish="clients"),
    }
    node = new_node(
        namespaces={**rules, **guests, **who, **bare},
        secret=SharedSecret(SECRET),
        anonymous=True,
        presence=Nobody(),
    )
    node.doorkeeper = Open()
    await node.start()
    yield node
    await node.stop()


async def connected(node: Node, client: str) -> FakeClient:
    found = FakeClient(node)
    await found.connect(CLIENTS[client])
    return found


async def outcome(client: FakeClient, **request: Any) -> tuple[int, str] | None:
    """None where the client was let, else the error."""
    reply = await client.ask(**request)
    return (reply["error"]["code"], reply["error"]["message"]) if "error" in reply else None


class TestSubscribing:
    @pytest.mark.parametrize("client", CLIENTS)
    @pytest.mark.parametrize("rule", [*RULES, "nothing"])
    async def test_is_refused_wherever_the_rule_does_not_let(
        self, node: Node, rule: str, client: str
    ) -> None:
        asking = await connected(node, client)

        for channel in (PLAIN, OTHERS, PRIVATE, own(client or "x")):
            found = await outcome(asking, subscribe={"channel": named(rule, channel)})
            assert found == (None if (client, channel) in OPENED.get(rule, ()) else DENIED), channel

    @pytest.mark.parametrize("client", CLIENTS)
    @pytest.mark.parametrize("rule", [*RULES, "nothing"])
    async def test_with_a_token_is_let_where_the_rule_takes_tokens(
        self, node: Node, rule: str, client: str
    ) -> None:
        asking = await connected(node, client)

        for channel in (PLAIN, OTHERS, PRIVATE, own(client or "x")):
            name = named(rule, channel)
            token = signed_claims(sub=client, channel=name, exp=int(time.time()) + 3600)
            found = await outcome(asking, subscribe={"channel": name, "token": token})
            let = rule == "token" or (client, channel) in OPENED.get(rule, ())
            assert found == (None if let else DENIED), channel

    async def test_of_a_channel_that_names_a_user_of_another_back_end_needs_a_rule_that_says_so(
        self, node: Node
    ) -> None:
        guest = await connected(node, FOREIGN)

        assert await outcome(guest, subscribe={"channel": f"guests:{own(FOREIGN)}"}) is None
        assert await outcome(guest, subscribe={"channel": f"owner:{own(FOREIGN)}"}) == DENIED


class TestAsking:
    @pytest.mark.parametrize("command", ["publish", "history", "presence", "presence_stats"])
    async def test_is_refused_wherever_the_namespace_does_not_let(self, node: Node, command: str) -> None:
        data = {"data": 1} if command == "publish" else {}
        for who, subscribed in itertools.product(get_args(Who), (False, True)):
            client = await connected(node, ACCOUNT)
            channel = f"may-{who}:a"
            if subscribed:
                await client.ask(subscribe={"channel": channel})

            found = await outcome(client, **{command: {"channel": channel, **data}})

            let = who == "clients" or (who == "subscribers" and subscribed)
            assert found == (None if let else DENIED), (who, subscribed)

    @pytest.mark.parametrize("command", ["history", "presence", "presence_stats"])
    async def test_is_not_available_where_nothing_is_kept(self, node: Node, command: str) -> None:
        client = await connected(node, ACCOUNT)
        await client.ask(subscribe={"channel": "bare:a"})

        assert await outcome(client, **{command: {"channel": "bare:a"}}) == (108, "not available")

    @pytest.mark.parametrize("command", ["publish", "history", "presence", "presence_stats"])
    async def test_in_no_namespace_is_refused(self, node: Node, command: str) -> None:
        client = await connected(node, ACCOUNT)

        found = await outcome(client, **{command: {"channel": "nowhere:a", "data": 1}})

        assert found == (102, "unknown channel")


class TestLimits:
    async def test_a_token_that_subscribes_to_too_many_channels_is_turned_away(self) -> None:
        node = new_node(max_channels=2, secret=SharedSecret(SECRET))
        await node.start()
        client = FakeClient(node)
        channels = [f"public:{number}" for number in range(3)]

        token = signed_claims(sub=FOREIGN, channels=channels, exp=int(time.time()) + 3600)
        client.send({"id": 1, "connect": {"token": token}})

        assert await client.until_closed() == (3505, "channel limit")
        await node.stop()

    async def test_a_client_within_its_rate_is_let(self) -> None:
        node = new_node(commands_per_second=2)
        await node.start()
        client = FakeClient(node)
        await client.connect()

        client.send(*({"id": 100 + n, "unsubscribe": {"channel": "public:a"}} for n in range(19)))
        await asyncio.sleep(0.01)

        assert client.closed is None
        await node.stop()
