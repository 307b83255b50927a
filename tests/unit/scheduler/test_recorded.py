"""Our decisions against those of the reference: nodes, every plugin's scores, words, nominations, victims."""

from __future__ import annotations

import itertools
from array import array
from typing import Any

import pytest
from recorded import cluster, golden_file, scenarios

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.outcome import Filtered, Placement
from cybernetes.scheduler.plugins.images import score_images
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.preempt import preempt, victims_by_filters
from cybernetes.scheduler.profile import SCORES
from cybernetes.scheduler.reasons import RESOLVABLE
from cybernetes.scheduler.victims import Candidate, Rows, choose

pytestmark = pytest.mark.skipif(not golden_file().exists(), reason=f"no recorded decisions in {golden_file()}")

# What a plugin gives all nodes when our answer is "all the same".
ALL_THE_SAME = {"TaintToleration": 300, "ImageLocality": 0, "DynamicResources": 0}
SCENARIOS = list(scenarios()) if golden_file().exists() else []
PLACED = [each for each in SCENARIOS if "node" in each["result"]]
FAILED = [each for each in SCENARIOS if "node" not in each["result"]]


def name_of(scenario: dict[str, Any]) -> str:
    return str(scenario["pod"]["metadata"]["name"]).removesuffix("-p")


@pytest.mark.parametrize("scenario", PLACED, ids=name_of)
def test_the_same_nodes_are_possible_and_get_the_same_scores(scenario: dict[str, Any]) -> None:
    cycle, pod, _ = cluster(scenario)
    decision = cycle.decide(pod, SeededRandom(1))
    assert isinstance(decision, Placement)
    code = cycle.filter(pod).code
    possible = {cycle.columns.names[row] for row, value in enumerate(code) if value == 0}
    scores = scenario["result"]["scores"]
    if not scores:
        assert possible == {scenario["result"]["node"]}
        return
    assert possible == set(scores)
    for plugin in SCORES:
        wanted = {node: by_plugin.get(plugin) for node, by_plugin in scores.items()}
        if plugin == "ImageLocality":
            assert wanted in list(image_scores(cycle, pod, scenario, possible))
        else:
            found = cycle.score(plugin, pod, code)
            assert weighted(cycle, plugin, found, possible) == wanted, plugin


@pytest.mark.parametrize("scenario", FAILED, ids=name_of)
def test_the_same_words_nominated_node_and_victims(scenario: dict[str, Any]) -> None:
    cycle, pod, budgets = cluster(scenario)
    decision = cycle.decide(pod, SeededRandom(1))
    assert not isinstance(decision, Placement)
    assert decision.filtered is not None
    result = preempt(cycle, pod, decision.filtered, budgets, SeededRandom(1))
    wanted = scenario["result"]
    if isinstance(result, Candidate):
        assert (decision.message, result.node) == (wanted["message"], wanted["nominated"])
        assert sorted(victim.name for victim in result.victims) == wanted["victims"]
    else:
        assert f"{decision.message} no new claims to deallocate, preemption: {result.words}" == wanted["message"]
        assert (wanted["nominated"], wanted["victims"]) == (None, [])


def test_victims_by_arithmetic_are_those_of_the_filters() -> None:
    compared = 0
    for scenario in FAILED:
        cycle, pod, budgets = cluster(scenario)
        filtered = cycle.filter(pod)
        if cycle.only_room_matters(pod):
            for row in resolvable_rows(filtered):
                compared += 1
                alone = Rows(array("i", [row]), 1, 0, 1)
                assert choose(cycle, pod, alone, budgets) == as_counts(victims_by_filters(cycle, pod, row, budgets))
    assert compared > 10


def resolvable_rows(filtered: Filtered) -> list[int]:
    return [row for row, code in enumerate(filtered.code) if code in RESOLVABLE and not filtered.message]


def as_counts(result: Candidate | list[str]) -> Candidate | dict[str, int]:
    return result if isinstance(result, Candidate) else dict.fromkeys(result, 1)


def weighted(cycle: Cycle, plugin: str, found: Any, possible: set[str]) -> dict[str, int | None]:
    if found is None:
        return dict.fromkeys(possible, ALL_THE_SAME.get(plugin))
    return {node: found[cycle.columns.rows[node]] * SCORES[plugin] for node in possible}


def image_scores(cycle: Cycle, pod: PodEntry, scenario: dict[str, Any], possible: set[str]) -> Any:
    """An image's size is what the node said that was heard first, which was not recorded: every choice of it."""
    images = cycle.columns.images
    sizes: dict[str, set[int]] = {}
    for node in scenario["nodes"]:
        for image in node["status"]["images"]:
            for name in image["names"]:
                sizes.setdefault(name, set()).add(image["sizeBytes"])
    for choice in itertools.product(*(sorted(sizes[name]) for name in images)):
        for name, size_bytes in zip(images, choice, strict=True):
            images[name].sizes = dict.fromkeys(images[name].sizes, size_bytes)
        found = score_images(cycle.columns, pod.shape.spec, len(cycle.columns.names))
        yield weighted(cycle, "ImageLocality", found, possible)
