"""What clients send, made up: in CI a few hundred inputs each, with `make fuzz` as many as FUZZ_INPUTS says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

INPUTS = int(os.environ.get("FUZZ_INPUTS", "0"))
_ALL = list(HealthCheck)
settings.register_profile("fuzz-short", max_examples=150, deadline=None, derandomize=True, database=None)
settings.register_profile("fuzz-long", max_examples=INPUTS or 1, deadline=None, suppress_health_check=_ALL)
settings.load_profile("fuzz-long" if INPUTS else "fuzz-short")
