"""The recorded answers of the reference, as far as they are about lists and sequences of writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apiserver_fixture import running_apiserver

ROOT = Path(__file__).parents[3]
GOLDEN = Path(os.environ.get("CYBERNETES_GOLDEN", ROOT.parent / "shared" / "golden"))
# Answers of `listing` that can't be alike: they show the recording's own CA, versions, times and order of keys.
LISTING_UNLIKE_MAX = 8
SEQUENCES_UNLIKE_MAX = 3


@pytest.mark.slow
def test_recorded_answers(tmp_path: Path) -> None:
    if not (GOLDEN / "replay.py").exists():
        pytest.skip(f"no recorded answers at {GOLDEN}: set CYBERNETES_GOLDEN")
    with running_apiserver(tmp_path / "server") as api:
        ca, certificate, key = api.files(tmp_path)
        command = [sys.executable, str(GOLDEN / "replay.py"), "--server", api.url, "--ca", str(ca)]
        command += ["--cert", str(certificate), "--key", str(key), "--theme", "listing", "--theme", "sequences"]
        command += ["--json", str(tmp_path / "score.json"), "--show", "40"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    score = json.loads((tmp_path / "score.json").read_text())
    unlike = {theme: sum(counts.values()) - counts["equal"] for theme, counts in score.items()}
    assert unlike["listing"] <= LISTING_UNLIKE_MAX, result.stdout
    assert unlike["sequences"] <= SEQUENCES_UNLIKE_MAX, result.stdout
