"""Many real pods at once on a running cluster: all Ready, all gone. `python perf/density.py [--json] [--pods N] [--data-dir DIR]`

See `cybernetes.bench.containers`, which `cybernetes bench density` uses too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import uvloop

from cybernetes.bench.containers import run
from cybernetes.run.layout import DEFAULT_DATA_DIR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--data-dir", type=Path, default=Path(DEFAULT_DATA_DIR))
    options = parser.parse_args()
    found = uvloop.run(run(options.data_dir, options.pods, lambda text: None))
    at_once = f"{options.pods} pods at once"
    rows = [
        (f"{at_once}: all Ready", found.figures["all_ready_s"], "s"),
        (f"{at_once}: Ready a second", found.pods_per_second, "pods/s"),
        (f"{at_once}: all gone", found.figures["all_gone_s"], "s"),
    ]
    if options.json:
        print(json.dumps([{"name": name, "value": round(value, 2), "unit": unit} for name, value, unit in rows]))
        return
    for name, value, unit in rows:
        print(f"{name:45} {value:12,.1f} {unit}")


if __name__ == "__main__":
    main()
