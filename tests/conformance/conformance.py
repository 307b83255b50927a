"""Replays the recorded answers of the reference against a fresh API server of this tree.

The recordings are not part of the repository: they lie in $CYBERNETES_GOLDEN, by default ../shared/golden beside it.
Exits with 1 when a theme has fewer equal answers than floors.tsv asks for. Arguments go on to the replay:

    tests/conformance/run --theme lifecycle --show 20
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cybernetes.install.machine import free_port

ROOT = Path(__file__).resolve().parents[2]
FLOORS = Path(__file__).with_name("floors.tsv")
CYBERNETES = ROOT / ".venv/bin/cybernetes"
START_TIMEOUT_S, REPLAY_TIMEOUT_S = 120, 1200

# Whoever was recorded had a token, and no certificate that answers would name.
TOKEN = "of-the-administrator"
ADMINISTRATOR = {"username": "admin", "uid": "8f6a2c4e", "groups": ["system:masters"]}

Score = dict[str, dict[str, int]]


def main(arguments: list[str]) -> int:
    golden = Path(os.environ.get("CYBERNETES_GOLDEN") or ROOT.parent / "shared/golden")
    if not (golden / "replay.py").exists():
        print(f"SKIPPED: no recorded answers in {golden}; name their folder in CYBERNETES_GOLDEN", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="cybernetes-conformance-") as folder:
        home = Path(folder)
        with tokens(home / "tokens.kubeconfig") as known, server(home / "cluster", known) as url:
            score = replay(golden, home, url, arguments)
    return judge(score, floors())


class TokenReviews(BaseHTTPRequestHandler):
    """Knows one token."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = review["spec"]["token"] == TOKEN
        review["status"] = {"authenticated": True, "user": ADMINISTRATOR} if known else {"authenticated": False}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the replay has the terminal."""


@contextlib.contextmanager
def tokens(kubeconfig: Path) -> Iterator[Path]:
    """Who says whose tokens are; gives the file that leads there."""
    with HTTPServer(("127.0.0.1", 0), TokenReviews) as asked:
        named = {"name": "tokens", "cluster": {"server": f"http://127.0.0.1:{asked.server_port}"}}
        context = {"name": "tokens", "context": {"cluster": "tokens", "user": "apiserver"}}
        config = {"apiVersion": "v1", "kind": "Config", "clusters": [named], "contexts": [context]}
        users = [{"name": "apiserver", "user": {}}]
        kubeconfig.write_text(json.dumps({**config, "users": users, "current-context": "tokens"}))
        threading.Thread(target=asked.serve_forever, daemon=True).start()
        try:
            yield kubeconfig
        finally:
            asked.shutdown()


@contextlib.contextmanager
def server(home: Path, tokens: Path) -> Iterator[str]:
    """A fresh API server without controllers, which asks for tokens where the kubeconfig leads; gives its URL."""
    port = free_port(0)
    start: list[str | Path] = [CYBERNETES, "up", "--only", "apiserver", "--data-dir", home, "--port", str(port)]
    start += ["--apiserver-arg", f"authentication-token-webhook-config-file={tokens}"]
    try:
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, timeout=START_TIMEOUT_S)
        # The reference was no whole cluster: its administrator had no binding.
        subprocess.run(
            (CYBERNETES, "kubectl", "delete", "clusterrolebinding", "cybernetes:cluster-admins"),
            env={**os.environ, "CYBERNETES_DATA_DIR": str(home)},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=START_TIMEOUT_S,
        )
        yield f"https://127.0.0.1:{port}"
    finally:
        subprocess.run([CYBERNETES, "down", "--data-dir", home], stdout=subprocess.DEVNULL, timeout=START_TIMEOUT_S)


def replay(golden: Path, home: Path, url: str, arguments: list[str]) -> Score:
    pki, result = home / "cluster/pki", home / "score.json"
    command: list[str | Path] = [sys.executable, golden / "replay.py", "--server", url, "--json", result]
    command += ["--ca", pki / "ca.crt", "--token", TOKEN]
    # It exits with 1 when any answer differs: floors decide instead.
    subprocess.run([*command, *(arguments or ["--show", "0"])], timeout=REPLAY_TIMEOUT_S)
    score: Score = json.loads(result.read_text())
    return score


def floors() -> dict[str, int]:
    """Theme -> how many answers must be equal."""
    rows = (line.split("\t") for line in FLOORS.read_text().splitlines() if line and not line.startswith("#"))
    return {theme: int(count) for theme, count in rows}


def judge(score: Score, wanted: dict[str, int]) -> int:
    """1 when a theme fell below its floor."""
    fallen = [
        f"{theme}: {counts.get('equal', 0)} equal answers, the floor is {wanted[theme]}"
        for theme, counts in score.items()
        if counts.get("equal", 0) < wanted.get(theme, 0)
    ]
    for each in fallen:
        print(f"FAILED  {each}", file=sys.stderr)
    return 1 if fallen else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
