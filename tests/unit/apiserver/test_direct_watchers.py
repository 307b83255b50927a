"""Watchers that send by themselves: together, in order, only while somebody waits; else the waiting task is woken."""

from __future__ import annotations

import asyncio

from cybernetes.apiserver.cache.selection import Selection
from cybernetes.apiserver.cache.state import Event, Item
from cybernetes.apiserver.cache.watch import TURN_WATCHERS, Hub, Watcher
from cybernetes.apiserver.registry import Registry


def event(n: int) -> Event:
    json = b'{"metadata":{"resourceVersion":"%d","name":"a"}}' % n
    return Event(None, Item("shop/a", json, n, n), n)


class Direct:
    """A watcher with its sender: `sent` has the revisions of each sending; it sends only while `flowing`."""

    def __init__(self, hub: Hub) -> None:
        served = Registry().find("", "v1", "configmaps")
        assert served is not None
        self.watcher = Watcher(Selection(served), deadline=1e9, bookmarks=False)
        self.watcher.direct = self.send
        self.sent: list[list[int]] = []
        self.flowing = True
        hub.join(self.watcher)

    def send(self) -> bool:
        if self.flowing:
            self.sent.append(revisions(self.watcher))
        return self.flowing


def revisions(watcher: Watcher) -> list[int]:
    return [each if isinstance(each, int) else each[1].revision for each in watcher.take()]


async def turns(count: int = 1) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_is_published_in_one_turn_is_sent_together_and_wakes_nobody() -> None:
    async def main() -> None:
        hub = Hub()
        one = Direct(hub)
        waiter = asyncio.ensure_future(one.watcher.wait())
        await turns()
        hub.publish(event(1))
        hub.publish(event(2))
        assert one.sent == []
        await turns()
        hub.publish(event(3))
        await turns(2)
        assert one.sent == [[1, 2], [3]]
        assert not waiter.done()
        one.watcher.end()
        await waiter

    asyncio.run(main())


def test_many_watchers_are_sent_to_some_in_each_turn() -> None:
    async def main() -> None:
        hub = Hub()
        crowd = [Direct(hub) for _ in range(2 * TURN_WATCHERS + 1)]
        waiters = [asyncio.ensure_future(each.watcher.wait()) for each in crowd]
        await turns()
        hub.publish(event(1))
        counts = []
        for _ in range(3):
            await turns()
            counts.append(sum(len(each.sent) for each in crowd))
        assert counts == [TURN_WATCHERS, 2 * TURN_WATCHERS, 2 * TURN_WATCHERS + 1]
        assert all(each.sent == [[1]] for each in crowd)
        for each in waiters:
            each.cancel()

    asyncio.run(main())


def test_who_is_busy_takes_the_events_himself() -> None:
    async def main() -> None:
        hub = Hub()
        one = Direct(hub)
        hub.publish(event(1))
        await turns(2)
        assert one.sent == []
        await one.watcher.wait()
        assert revisions(one.watcher) == [1]

    asyncio.run(main())


def test_where_nothing_flows_the_waiter_is_woken_with_everything_in_order() -> None:
    async def main() -> None:
        hub = Hub()
        one = Direct(hub)
        one.flowing = False
        waiter = asyncio.ensure_future(one.watcher.wait())
        await turns()
        hub.publish(event(1))
        await waiter
        hub.publish(event(2))
        one.watcher.bookmark(3)
        assert one.sent == []
        assert revisions(one.watcher) == [1, 2]

    asyncio.run(main())


def test_a_watch_that_ends_gives_the_rest_to_who_waits() -> None:
    async def main() -> None:
        hub = Hub()
        one = Direct(hub)
        waiter = asyncio.ensure_future(one.watcher.wait())
        await turns()
        hub.publish(event(1))
        one.watcher.end()
        await waiter
        assert one.watcher.over
        assert one.sent == []
        assert revisions(one.watcher) == [1]

    asyncio.run(main())


def test_what_fails_in_sending_fails_the_waiter() -> None:
    async def main() -> None:
        hub = Hub()
        one = Direct(hub)

        def fail() -> bool:
            raise ValueError("no such frame")

        one.watcher.direct = fail
        waiter = asyncio.ensure_future(one.watcher.wait())
        await turns()
        hub.publish(event(1))
        (outcome,) = await asyncio.gather(waiter, return_exceptions=True)
        assert isinstance(outcome, ValueError)

    asyncio.run(main())
