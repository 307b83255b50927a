"""KubeSchedulerConfiguration: what it may say and what it means."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.scheduler.config import Config, ConfigError, decode
from cybernetes.scheduler.outside import Outside
from cybernetes.scheduler.profile import FILTERS, SCORES


def profile(**fields: Any) -> Any:
    return decode({"profiles": [fields]}).profiles[0]


def test_nothing_said_means_kubernetes_defaults() -> None:
    config = decode({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"})
    [found] = config.profiles
    assert (found.name, found.filters, found.scores) == ("default-scheduler", frozenset(FILTERS), SCORES)
    assert (config.backoff.first_s, config.backoff.limit_s) == (1.0, 10.0)
    assert config.election is not None
    assert (config.election.name, config.election.lease_s, config.election.renew_s) == ("kube-scheduler", 15, 10.0)


def test_without_election_it_decides_at_once() -> None:
    assert decode({"leaderElection": {"leaderElect": False}}).election is None


def test_plugins_can_be_turned_off_and_weighed() -> None:
    found = profile(
        plugins={
            "score": {"disabled": [{"name": "*"}], "enabled": [{"name": "ImageLocality", "weight": 5}]},
            "filter": {"disabled": [{"name": "NodePorts"}]},
            "postFilter": {"disabled": [{"name": "DefaultPreemption"}]},
        }
    )
    assert found.scores == {"ImageLocality": 5}
    assert found.filters == frozenset(FILTERS) - {"NodePorts"}
    assert found.preemption is None


def test_multi_point_reaches_filters_and_scores() -> None:
    found = profile(plugins={"multiPoint": {"disabled": [{"name": "TaintToleration"}]}})
    assert "TaintToleration" not in found.filters
    assert "TaintToleration" not in found.scores


def test_arguments_reach_their_plugins() -> None:
    strategy = {
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": "cpu", "weight": 3}],
        "requestedToCapacityRatio": {"shape": [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]},
    }
    found = profile(
        pluginConfig=[
            {"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy, "ignoredResourceGroups": ["x.test"]}},
            {"name": "InterPodAffinity", "args": {"hardPodAffinityWeight": 7}},
            {"name": "PodTopologySpread", "args": {"defaultingType": "List"}},
        ]
    )
    assert found.fit.strategy.shape == (0, 0, 100, 100)
    assert found.fit.strategy.resources == (("cpu", 3),)
    assert found.fit.ignored_groups == frozenset(["x.test"])
    assert found.interpod.hard_weight == 7
    assert (found.spread_defaults, found.spread_system) == ((), False)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"podInitialBackoffSeconds": 0}, "podInitialBackoffSeconds: must be greater than 0"),
        ({"nonsense": 1}, "Object contains unknown field `nonsense`"),
        ({"extenders": [{}]}, "extenders[0].urlPrefix: Required value"),
        ({"profiles": [{}, {}]}, 'profiles[1].schedulerName: Duplicate value: "default-scheduler"'),
        (
            {"profiles": [{"plugins": {"score": {"enabled": [{"name": "ImageLocalty"}]}}}]},
            "did you mean ImageLocality?",
        ),
        (
            {"profiles": [{"pluginConfig": [{"name": "InterPodAffinity", "args": {"hardPodAffinityWeight": 101}}]}]},
            "profiles[0].pluginConfig[InterPodAffinity].hardPodAffinityWeight: must be in the range 0-100",
        ),
        ({"leaderElection": {"leaseDuration": "soon"}}, "leaderElection.leaseDuration: 'soon' is not a duration"),
        (
            {"leaderElection": {"leaseDuration": "5s"}},
            "leaderElection.leaseDuration: must be greater than RenewDeadline",
        ),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        decode(document)
    assert words in str(wrong.value)


def test_a_plugin_from_outside_gets_its_arguments() -> None:
    class Even:
        name = "Even"

        def __init__(self, args: dict[str, Any]) -> None:
            self.args = args

    document = {
        "profiles": [
            {
                "plugins": {"multiPoint": {"enabled": [{"name": "Even", "weight": 4}]}},
                "pluginConfig": [{"name": "Even", "args": {"step": 2}}],
            }
        ]
    }
    config: Config = decode(document, Outside(filters={}, scores={"Even": Even}))  # type: ignore[dict-item]
    [found] = config.profiles[0].outside
    assert found.args == {"step": 2}  # type: ignore[attr-defined]
    assert config.profiles[0].scores["Even"] == 4
