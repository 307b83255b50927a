"""One seed's run: a cluster is used and harmed for a while, then left alone, and must settle."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import tempfile
from collections.abc import Coroutine
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cybernetes.base.random import Random, SeededRandom
from cybernetes.sim.faults import Faults, draw
from cybernetes.sim.loop import Deadlock, Livelock, VirtualLoop
from cybernetes.sim.plants import Plant
from cybernetes.sim.settled import unsettled
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.users import CROWDS, SCHEDULES, User
from cybernetes.sim.world import ADMIN, World, copy_database

# Faults begin and end within this; users have about as long.
HARM_S = 20.0
DEEDS = 6
USERS = ("ann", "bob")
LOOK_EVERY_S = 1.0
# Every user has an answer to everything by then, whatever happened.
ANSWERED_S = 300.0
# A silent watch is given up after 150 s, a pod of a lost node after 300 s, and a crash is backed off for up to 300 s.
SETTLES_S = 600.0
BOOT_S = 15.0
# The second minute has begun, and what had to be started or left out with it is.
TICKED_S = 75.0
# Of what did not settle.
TOLD_MAX = 8


class Result(msgspec.Struct):
    """violations: [] when every promise held. virtual_s: how long it took, in the cluster's time."""

    seed: int
    digest: str
    virtual_s: float
    violations: list[str]
    lines: list[str] = []


def make_database(folder: Path) -> Path:
    """The disk of a cluster that has started once; most runs begin with it."""

    gc.disable()

    async def boot() -> Path:
        world = World(0, folder / "boot", Plant("", SeededRandom(0)))
        world.start()
        await asyncio.sleep(BOOT_S)
        if world.transcript.violations or world.server is None:
            raise RuntimeError(f"a cluster without faults did not start: {world.transcript.violations}")
        # The server last: leases are given back through it.
        for component in reversed(world.components.values()):
            await component.stop()
        copy_database(world.disk.folder, folder / "booted.db")
        return folder / "booted.db"

    return _run(boot())


def simulate(seed: int, database: Path, *, plant: str = "", deeds: int = DEEDS) -> Result:
    """Run one seed in this process. It leaves pending tasks behind that must not be collected: their end would run."""
    folder = Path(tempfile.mkdtemp(prefix="cybernetes-sim-", dir=memory_folder()))
    gc.disable()
    try:
        return _run(_simulate(seed, folder, database, plant, deeds))
    except (Deadlock, Livelock) as stuck:
        return Result(seed, "", 0.0, [f"{type(stuck).__name__}: {stuck}"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _simulate(seed: int, folder: Path, database: Path, plant: str, deeds: int) -> Result:
    loop = asyncio.get_running_loop()
    random = SeededRandom(seed * 1000)
    two_servers, habits = _kind(SeededRandom(seed * 1000 + 3))
    plants = Plant(plant, SeededRandom(seed))
    world = World(seed * 1000 + 7, folder / "disk", plants, before=database, two_servers=two_servers)
    transcript = world.transcript
    loop.set_exception_handler(lambda _, context: _unhandled(transcript, context))
    nodes = [each.name for each in world.machines]
    users = [
        User(name, world.client(name, ADMIN), SeededRandom(random.below(1 << 32)), transcript, nodes, habits[name])
        for name in USERS
    ]
    world.start()
    harm = asyncio.gather(Faults(world).run(draw(random, HARM_S)), *(user.act(deeds) for user in users))
    while not harm.done() and not transcript.violations:
        await asyncio.sleep(LOOK_EVERY_S)
        world.truth.look()
        if loop.time() > ANSWERED_S:
            transcript.broken("users still wait for an answer")
    if harm.done():
        harm.result()
    transcript.say("quiet")
    await _settle(world, users)
    return Result(seed, transcript.digest, loop.time(), transcript.violations, transcript.lines)


def _kind(random: Random) -> tuple[bool, dict[str, tuple[str, ...]]]:
    """Whether there are two API servers, and each user's habits.

    One run in four has full nodes, one in eight two API servers, one in sixteen jobs by the minute.
    """
    crowds, schedules, two_servers = random.below(4) == 0, random.below(16) == 0, random.below(8) == 0
    return two_servers, {"ann": (CROWDS,) if crowds else (), "bob": (SCHEDULES,) if schedules else ()}


async def _settle(world: World, users: list[User]) -> None:
    loop = asyncio.get_running_loop()
    if any(SCHEDULES in user.habits for user in users):
        await asyncio.sleep(max(0.0, TICKED_S - loop.time()))
    deadline = loop.time() + SETTLES_S
    while not world.transcript.violations:
        if next(unsettled(world, users), None) is None:
            world.transcript.say("settled")
            return
        if loop.time() > deadline:
            for each in islice(unsettled(world, users), TOLD_MAX):
                world.transcript.broken(f"did not settle: {each}")
            return
        await asyncio.sleep(LOOK_EVERY_S)


def _unhandled(transcript: Transcript, context: dict[str, Any]) -> None:
    error, task = context.get("exception"), context.get("task") or context.get("future")
    what = getattr(task.get_coro(), "__qualname__", "") if isinstance(task, asyncio.Task) else ""
    transcript.broken(f"unhandled: {context.get('message')} {what}: {type(error).__name__}: {error}")


def _run(main: Coroutine[Any, Any, Any]) -> Any:
    """In a loop of its own that is left as it is: nothing of the dead may clean up."""
    logging.getLogger("cybernetes").setLevel(logging.CRITICAL)
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        _LEFT.append(loop)


# Loops that ended with tasks pending; freeing them would run their `finally`.
_LEFT: list[VirtualLoop] = []


def memory_folder() -> str | None:
    """A folder without a disk below, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
