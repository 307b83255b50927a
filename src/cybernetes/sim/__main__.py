"""python -m cybernetes.sim: many seeded clusters, with faults, in virtual time."""

from __future__ import annotations

import argparse
import sys
import time

from cybernetes.sim import runner
from cybernetes.sim.plants import NAMES
from cybernetes.sim.scenario import DEEDS, Result
from cybernetes.sim.worker import Order

SEEDS = 500
# Where the output is no terminal.
PROGRESS_EVERY = 50


class Report:
    """Counts, and tells failures as they come."""

    def __init__(self, total: int, plant: str) -> None:
        self.failed: list[int] = []
        self._total = total
        self._plant = plant
        self._done = 0
        self._virtual_s = 0.0
        self._began = time.monotonic()

    def add(self, first: Result, second: Result) -> None:
        self._done += 1
        self._virtual_s += first.virtual_s
        problems = list(first.violations)
        if first.digest != second.digest:
            problems.append("another PYTHONHASHSEED gave another transcript")
        if problems:
            self.failed.append(first.seed)
            self._clear()
            print(f"seed {first.seed} failed; repeat with: {self._repeat(first.seed)}")
            for each in problems[:4]:
                print(f"    {each.strip()[:400]}")
        self._progress()

    def end(self) -> int:
        self._clear()
        took_s = time.monotonic() - self._began
        verdict = f"{len(self.failed)} failed" if self.failed else "all good"
        print(f"{self._done} seeds, {self._virtual_s / 3600:.1f} h of cluster time in {took_s:.0f} s: {verdict}")
        return 1 if self.failed else 0

    def _repeat(self, seed: int) -> str:
        plant = f" --plant {self._plant}" if self._plant else ""
        return f"python -m cybernetes.sim --seed {seed}{plant} --transcript"

    def _progress(self) -> None:
        if sys.stderr.isatty():
            took_s = time.monotonic() - self._began
            print(f"\r{self._done}/{self._total} seeds, {took_s:.0f} s ", end="", file=sys.stderr, flush=True)
        elif self._done % PROGRESS_EVERY == 0:
            print(f"{self._done}/{self._total} seeds", flush=True)

    def _clear(self) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def main() -> int:
    options = _options()
    if options.seed is not None:
        return _one(Order(options.seed, options.plant, options.steps, lines=True), transcript=options.transcript)
    orders = [Order(options.first + n, options.plant, options.steps) for n in range(options.seeds)]
    report = Report(len(orders), options.plant)
    runner.run(orders, options.jobs, report.add)
    return report.end()


def _one(order: Order, *, transcript: bool) -> int:
    seed = order.seed
    with runner.Pair() as pair:
        first, second = pair.run(order)
    if transcript:
        print("\n".join(first.lines))
    for each in first.violations:
        print(f"seed {seed}: {each.strip()}", file=sys.stderr)
    if first.digest != second.digest:
        print(f"seed {seed}: another PYTHONHASHSEED gave another transcript:", file=sys.stderr)
        print("\n".join(runner.difference(first.lines, second.lines)), file=sys.stderr)
        return 1
    print(f"seed {seed}: {first.virtual_s:.0f} s of cluster time, transcript {first.digest[:16]}", file=sys.stderr)
    return 1 if first.violations else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cybernetes.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many seeds (default {SEEDS})")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--seed", type=int, help="run only this one, and tell about it")
    parser.add_argument("--steps", type=int, default=DEEDS, help=f"how much each user does (default {DEEDS})")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--plant", choices=NAMES, default="", help="put this bug in, to see that it is found")
    parser.add_argument("--transcript", action="store_true", help="with --seed: print everything that happened")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
