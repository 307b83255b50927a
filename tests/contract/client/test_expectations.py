"""Expectations hold a controller back until it sees its own writes."""

from __future__ import annotations

import asyncio

import virtual

from cybernetes.client.expectations import TIMEOUT_S, UNSURE_S, Expectations


def test_creations_and_deletions_must_be_seen() -> None:
    async def main() -> None:
        expected = Expectations(virtual.VirtualClock())
        assert expected.fulfilled("shop/web")
        expected.expect("shop/web", creations=2)
        expected.expect("shop/web", deletions={"u1"})
        expected.created("shop/web")
        expected.deleted("shop/web", "u1")
        assert not expected.fulfilled("shop/web")
        expected.created("shop/web")
        assert expected.fulfilled("shop/web")

    virtual.run(main())


def test_they_end_after_a_while() -> None:
    async def main() -> None:
        expected = Expectations(virtual.VirtualClock())
        expected.expect("shop/web", creations=1)
        await asyncio.sleep(TIMEOUT_S - 1)
        assert not expected.fulfilled("shop/web")
        await asyncio.sleep(2)
        assert expected.fulfilled("shop/web")

    virtual.run(main())


def test_a_creation_without_an_answer_is_not_waited_for_long() -> None:
    async def main() -> None:
        expected = Expectations(virtual.VirtualClock())
        expected.expect("shop/web", creations=2)
        expected.unsure("shop/web")
        assert expected.wait_s("shop/web") == UNSURE_S
        await asyncio.sleep(UNSURE_S)
        assert expected.fulfilled("shop/web")
        expected.unsure("shop/web")
        assert expected.fulfilled("shop/web")

    virtual.run(main())


def test_what_was_given_up_is_not_waited_for_again() -> None:
    async def main() -> None:
        expected = Expectations(virtual.VirtualClock())
        expected.expect("shop/web", creations=1)
        expected.unsure("shop/web")
        await asyncio.sleep(UNSURE_S)
        expected.expect("shop/web", creations=1)
        expected.created("shop/web")
        assert expected.fulfilled("shop/web")

    virtual.run(main())
