"""Tokens that a back end signs itself, and what they open."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.realtime.node import Node
from libs.realtime.settings import Namespace
from libs.realtime.tokens import (
    ConnectionClaims,
    SharedSecret,
    SubscriptionClaims,
    TokenOver,
    TokenRefused,
)
from tests.unit.libs.realtime.clients import NAMESPACES, FakeClient, new_node

SECRET = "s" * 32
NOW = int(time.time())
SOON = NOW + 86_400  # the suite takes longer than ten minutes on a busy machine


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(secret: str = SECRET, *, header: dict[str, object] | None = None, **claims: object) -> str:
    signed = f"{encoded(header or {'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


class TestSecret:
    def test_believes_what_it_signed(self) -> None:
        claims = SharedSecret(SECRET).verify(
            token(sub="42", exp=SOON, info={"n": 1}, unknown=1), ConnectionClaims
        )

        assert (claims.sub, claims.expires_at, claims.info) == ("42", SOON, b'{"n":1}')

    @pytest.mark.parametrize(
        "bad",
        [
            token("other" * 8, sub="42", exp=SOON),
            token(sub="42"),
            token(sub=42, exp=SOON),
            token(sub="42", exp=str(SOON)),
            token(sub="42", exp=SOON, nbf=SOON),
            token(sub="42", exp=SOON, channel="news"),
            token(sub="42", exp=SOON, b64info="***"),
            token(sub="42", exp=SOON, b64info="AAAA"),
            token(sub="42", exp=SOON, b64info=7),
            token(sub="42", exp=SOON, subs={"room:1": 7}),
            token(header={"alg": "none"}, sub="42", exp=SOON),
            token(header={"alg": "HS512"}, sub="42", exp=SOON),
            token(header={"alg": "HS256", "crit": ["b64"]}, sub="42", exp=SOON),
            token(sub="42", exp=SOON)[:-2],
            token(sub="42", exp=SOON) + "." + token(sub="42", exp=SOON),
            "a.b.c",
            "..",
            "",
            "\u00e4.\u00e4.\u00e4",
            "x" * 100_000,
        ],
    )
    def test_believes_nothing_else(self, bad: str) -> None:
        with pytest.raises(TokenRefused):
            SharedSecret(SECRET).verify(bad, ConnectionClaims)

    def test_knows_what_is_over(self) -> None:
        with pytest.raises(TokenOver):
            SharedSecret(SECRET).verify(token(sub="42", exp=NOW - 1), ConnectionClaims)

    def test_information_may_come_in_base64(self) -> None:
        b64info = base64.b64encode(b'{"n": 2}').decode()

        claims = SharedSecret(SECRET).verify(
            token(sub="42", exp=SOON, info={"n": 1}, b64info=b64info), ConnectionClaims
        )

        assert claims.about == b'{"n": 2}'

    def test_a_date_may_have_a_fraction(self) -> None:
        claims = SharedSecret(SECRET).verify(token(sub="42", exp=SOON + 0.5), ConnectionClaims)

        assert claims.expires_at == pytest.approx(SOON + 0.5)

    @pytest.mark.parametrize(
        ("expire_at", "expires_at"),
        [(0, None), (SOON + 1, SOON + 1), (None, SOON)],
        ids=["never", "later", "left out"],
    )
    def test_expire_at_is_over_exp(self, expire_at: int | None, expires_at: int | None) -> None:
        claims = SharedSecret(SECRET).verify(
            token(channel="c", exp=SOON, expire_at=expire_at), SubscriptionClaims
        )

        assert claims.expires_at == expires_at

    def test_is_long_off_loopback(self) -> None:
        with pytest.raises(ValueError, match="at least 32 bytes"):
            SharedSecret("secret")

        lenient = SharedSecret("secret", lenient=True)

        assert lenient.verify(token("secret", sub="42"), ConnectionClaims).sub == "42"

    def test_judges_only_what_says_that_it_is_signed_so(self) -> None:
        assert SharedSecret.signed(token(sub="42"))
        assert not SharedSecret.signed(token(header={"alg": "ES256"}, sub="42"))
        assert not SharedSecret.signed("ann/s1")


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    namespaces = NAMESPACES | {
        "": Namespace(subscribe=frozenset({"owner"}), personal=True, foreign_users=True),
        "room": Namespace(subscribe=frozenset({"token"}), history_size=5, history_seconds=60, recovery=True),
        "open": Namespace(subscribe=frozenset({"anyone"})),
    }
    node = new_node(secret=SharedSecret(SECRET), anonymous=True, namespaces=namespaces)
    await node.start()
    yield node
    await node.stop()


class TestConnection:
    async def test_is_opened_for_a_user_who_is_no_account(self, node: Node, client: FakeClient) -> None:
        result = await client.connect(token(sub="42", exp=SOON))

        assert list(result["subs"]) == ["#42"]
        assert client.session.who is not None
        assert client.session.who.identity is None
        assert await client.error(subscribe={"channel": "user:dialog#42"}) == (103, "permission denied")

    @pytest.mark.parametrize("channel", ["user:#ann", "user:#42", "closed:1", "public:#42"])
    @pytest.mark.parametrize("claim", ["channels", "subs"])
    async def test_is_subscribed_by_it_to_nothing_that_no_rule_gives(
        self, node: Node, client: FakeClient, claim: str, channel: str
    ) -> None:
        claims: dict[str, Any] = {claim: [channel] if claim == "channels" else {channel: {}}}

        error = await client.error(connect={"token": token(sub="42", exp=SOON, **claims)})

        assert error == (103, "permission denied")
        assert node.hub.listeners(channel) == 0

    async def test_has_no_personal_channel_by_any_token(self) -> None:
        personal = Namespace(subscribe=frozenset({"owner", "token"}), personal=True)
        node = new_node(secret=SharedSecret(SECRET), namespaces={"user": personal})
        await node.start()
        foreign, ann = FakeClient(node), FakeClient(node)
        await foreign.connect(token(sub="ann", exp=SOON))
        await ann.connect("ann/s1")
        permit = {"channel": "user:x", "token": token(sub="ann", channel="user:x", exp=SOON)}

        assert await foreign.error(subscribe=permit) == (103, "permission denied")
        assert "error" not in await ann.ask(subscribe=permit)
        refused = FakeClient(node)
        by_name = token(sub="ann", exp=SOON, channels=["user:#ann"])
        assert await refused.error(connect={"token": by_name}) == (103, "permission denied")
        await node.stop()

    async def test_is_subscribed_to_what_is_open_to_it_anyway(self, client: FakeClient) -> None:
        result = await client.connect(token(sub="42", exp=SOON, channels=["open:1", "public:1", "#42"]))

        assert sorted(result["subs"]) == ["#42", "open:1", "public:1"]

    @pytest.mark.parametrize("claim", ["exp", "expire_at"])
    async def test_whose_time_is_in_milliseconds_is_refused(self, client: FakeClient, claim: str) -> None:
        times: dict[str, Any] = {"exp": SOON, claim: SOON * 1000}
        client.send({"id": 1, "connect": {"token": token(sub="42", **times)}})

        assert await client.until_closed() == (3500, "invalid token")

    async def test_of_many_years_is_told_as_many_as_the_protocol_can_say(self, client: FakeClient) -> None:
        result = await client.connect(token(sub="42", exp=250_000_000_000))

        assert result["ttl"] == 2**32 - 1

    async def test_is_subscribed_to_what_the_token_says(self, client: FakeClient) -> None:
        result = await client.connect(token(sub="42", exp=SOON, channels=["room:1"], subs={"room:2": {}}))

        assert sorted(result["subs"]) == ["#42", "room:1", "room:2"]

    async def test_what_the_token_says_of_a_channel_is_told_there(self, client: FakeClient) -> None:
        subs = {"room:2": {"info": {"seat": 7}, "data": [1]}}

        result = await client.connect(token(sub="42", exp=SOON, subs=subs))

        assert result["subs"]["room:2"]["data"] == [1]
        assert client.session.subscriptions["room:2"].info == b'{"seat":7}'

    async def test_to_a_channel_that_is_none_cannot_be_opened(self, client: FakeClient) -> None:
        request = {"token": token(sub="42", exp=SOON, channels=["nowhere:1"])}

        assert await client.error(connect=request) == (102, "unknown channel")

    async def test_is_refused_with_the_protocols_codes(self, node: Node) -> None:
        over, bad = FakeClient(node), FakeClient(node)
        bad.send({"id": 1, "connect": {"token": token("x" * 32, sub="42", exp=SOON)}})

        assert await over.error(connect={"token": token(sub="42", exp=1)}) == (109, "token expired")
        assert await bad.until_closed() == (3500, "invalid token")

    async def test_that_is_over_before_it_begins_is_refused(self, client: FakeClient) -> None:
        """The token itself is still good; what it grants is not."""
        request = {"token": token(sub="42", exp=SOON, expire_at=NOW - 1)}

        assert await client.error(connect=request) == (110, "expired")

    async def test_access_tokens_are_still_taken(self, client: FakeClient) -> None:
        assert "user:#ann" in (await client.connect("ann/s1"))["subs"]

    async def test_nobody_in_particular_may_hear_what_is_open_to_anyone(self, client: FakeClient) -> None:
        await client.connect("")

        assert await client.error(subscribe={"channel": "public:a"}) == (103, "permission denied")
        assert "error" not in await client.ask(subscribe={"channel": "open:a"})

    async def test_nobody_in_particular_is_refused_unless_a_setting_says_otherwise(self) -> None:
        node = new_node(secret=SharedSecret(SECRET))
        await node.start()
        client = FakeClient(node)
        client.send({"id": 1, "connect": {"token": token(sub="", exp=SOON)}})

        assert await client.until_closed() == (3507, "permission denied")
        await node.stop()


class TestSubscription:
    async def test_is_opened_by_its_token(self, ann: FakeClient) -> None:
        result = await ann.ask(
            subscribe={"channel": "room:1", "token": token(sub="ann", channel="room:1", exp=SOON)}
        )

        assert result["expires"] is True
        assert 0 < result["ttl"] <= SOON - NOW

    async def test_of_a_private_channel_needs_one(self, ann: FakeClient) -> None:
        assert await ann.error(subscribe={"channel": "$room:1"}) == (103, "permission denied")
        private = token(sub="ann", channel="$room:1", exp=SOON)
        assert "error" not in await ann.ask(subscribe={"channel": "$room:1", "token": private})

    async def test_is_not_opened_by_a_token_that_is_no_good(self, ann: FakeClient) -> None:
        over = token(sub="ann", channel="room:1", exp=1)

        assert await ann.error(subscribe={"channel": "room:1", "token": "rubbish"}) == (
            103,
            "permission denied",
        )
        assert await ann.error(subscribe={"channel": "room:1", "token": over}) == (109, "token expired")

    async def test_that_is_over_before_it_begins_is_refused(self, ann: FakeClient) -> None:
        permit = token(sub="ann", channel="room:1", exp=SOON, expire_at=NOW - 1)

        assert await ann.error(subscribe={"channel": "room:1", "token": permit}) == (110, "expired")

    async def test_may_be_told_something(self, ann: FakeClient) -> None:
        permit = token(sub="ann", channel="room:1", exp=SOON, data={"topic": "news"}, client=ann.session.id)

        result = await ann.ask(subscribe={"channel": "room:1", "token": permit})

        assert result["data"] == {"topic": "news"}

    async def test_of_another_connection_costs_this_one(self, ann: FakeClient) -> None:
        permit = token(sub="ann", channel="room:1", exp=SOON, client="another")

        ann.send({"id": 9, "subscribe": {"channel": "room:1", "token": permit}})

        assert await ann.until_closed() == (3500, "invalid token")

    @pytest.mark.parametrize(("user", "channel"), [("bob", "room:1"), ("ann", "room:2")])
    async def test_somebody_elses_token_costs_the_connection(
        self, ann: FakeClient, user: str, channel: str
    ) -> None:
        ann.send(
            {"id": 9, "subscribe": {"channel": "room:1", "token": token(sub=user, channel=channel, exp=SOON)}}
        )

        assert await ann.until_closed() == (3500, "invalid token")

    async def test_ends_after_its_grace_unless_it_is_refreshed(self, node: Node, ann: FakeClient) -> None:
        for name in ("room:1", "room:2"):
            await ann.ask(subscribe={"channel": name, "token": token(sub="ann", channel=name, exp=SOON)})
        later = token(sub="ann", channel="room:2", exp=SOON + 600)
        refreshed = await ann.ask(sub_refresh={"channel": "room:2", "token": later})
        for subscription in ann.session.subscriptions.values():
            if subscription.expires_at == SOON:
                subscription.expires_at = NOW - 3600

        ann.session.beat()
        await ann.ask(rpc={"method": "echo"})

        assert refreshed["expires"] is True
        assert {
            "channel": "room:1",
            "unsubscribe": {"code": 2501, "reason": "subscription expired"},
        } in ann.pushes()
        assert "room:2" in ann.session.subscriptions


class TestSubRefresh:
    @pytest.fixture
    async def ann(self, node: Node) -> FakeClient:
        client = FakeClient(node)
        await client.connect("ann/s1")
        await client.ask(
            subscribe={"channel": "room:1", "token": token(sub="ann", channel="room:1", exp=SOON)}
        )
        return client

    async def test_is_refused_without_a_subscription_or_a_token(self, ann: FakeClient) -> None:
        assert await ann.error(sub_refresh={"channel": "room:2", "token": "t"}) == (103, "permission denied")
        assert await ann.error(sub_refresh={"channel": "room:1"}) == (107, "bad request")
        assert await ann.error(sub_refresh={"channel": "room:1", "token": "t", "type": 1}) == (
            108,
            "not available",
        )

    @pytest.mark.parametrize(
        ("bad", "closed"),
        [
            ("rubbish", (3500, "invalid token")),
            (token(sub="bob", channel="room:1", exp=SOON), (3500, "invalid token")),
            (token(sub="ann", channel="room:1", exp=1), (3006, "subscription expired")),
        ],
    )
    async def test_with_a_token_that_is_no_good_costs_the_connection(
        self, ann: FakeClient, bad: str, closed: tuple[int, str]
    ) -> None:
        ann.send({"id": 9, "sub_refresh": {"channel": "room:1", "token": bad}})

        assert await ann.until_closed() == closed
