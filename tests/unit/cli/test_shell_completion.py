"""What a shell is told to complete, and what a mistyped verb is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cybernetes.cli.kubectl import read_completions
from cybernetes.cli.main import cybernetes


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("web-1\nweb-2\tRunning\n:4\n", [("web-1", None, "plain"), ("web-2", "Running", "plain")]),
        ("json\nyaml\nyml\n:8\n", [("w", None, "file")]),
        (":0\n", [("w", None, "file")]),
        (":4\n", []),
        ("", []),
        ("web-1\n:1\n", []),
    ],
)
def test_completions_of_kubectl(told: str, expected: list[tuple[str, str | None, str]]) -> None:
    assert [(each.value, each.help, each.type) for each in read_completions(told, "w")] == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cybernetes kubectl get pods -o js", ["plain,json", "plain,jsonpath", "plain,jsonpath-as-json"]),
        ("cybernetes kubectl apply -f po", ["file,po"]),
        # The cluster is not there.
        ("cybernetes explain pod -n shop w", []),
    ],
)
def test_the_real_kubectl_is_asked(words: str, expected: list[str], tmp_path: Path) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_CYBERNETES_COMPLETE": "bash_complete"}
    environment = {**asked, "CYBERNETES_DATA_DIR": str(tmp_path)}
    told = CliRunner().invoke(cybernetes, [], prog_name="cybernetes", env=environment)
    assert set(expected) <= set(told.output.split()) and bool(expected) == bool(told.output.strip())


@pytest.mark.parametrize(("typed", "meant"), [("stat", "status"), ("kubctl", "kubectl"), ("api-server", "apiserver")])
def test_a_mistyped_verb_is_answered_with_the_one_that_was_meant(typed: str, meant: str) -> None:
    result = CliRunner().invoke(cybernetes, [typed])
    assert (result.exit_code, f"{meant!r}" in result.output) == (2, True), result.output
