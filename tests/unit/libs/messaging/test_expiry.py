"""One timer serves many deadlines."""

import asyncio

from libs.messaging.expiry import Expiry


class TestExpiry:
    async def test_each_wait_expires_once_in_the_order_of_their_deadlines(self) -> None:
        expired: asyncio.Queue[str] = asyncio.Queue()
        expiry: Expiry[str] = Expiry(expired.put_nowait)

        expiry.add("late", 0.1)
        expiry.add("early", 0.01)

        async with asyncio.timeout(30):
            assert [await expired.get(), await expired.get()] == ["early", "late"]
        assert expired.empty()

    async def test_what_is_over_in_time_does_not_expire(self) -> None:
        expired: asyncio.Queue[str] = asyncio.Queue()
        expiry: Expiry[str] = Expiry(expired.put_nowait)

        expiry.add("done", 0.01)
        expiry.add("other", 0.05)
        expiry.discard("done")
        expiry.discard("never added")

        async with asyncio.timeout(30):
            assert await expired.get() == "other"

    async def test_it_rests_and_wakes_again(self) -> None:
        expired: asyncio.Queue[str] = asyncio.Queue()
        expiry: Expiry[str] = Expiry(expired.put_nowait)

        async with asyncio.timeout(30):
            expiry.add("first", 0)
            await expired.get()
            await asyncio.sleep(0.05)
            expiry.add("second", 0)
            assert await expired.get() == "second"
