"""Other programs that have a say: what they are asked, and what their answers do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from memory_api import MemoryApi, node, pod
from test_scheduler_loop import NODES, PODS, bound, condition, running, until

from cybernetes.scheduler.config import ConfigError, decode
from cybernetes.scheduler.extenders import Extender, ExtenderFailed, Terms
from cybernetes.wire.http.message import Request, Response


class Program:
    """An extender. answers: path -> a body, or what makes one of the request's; `asked` has all requests."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    async def send(self, request: Request) -> Response:
        verb, body = request.path.strip("/"), orjson.loads(request.body)
        self.asked.append((verb, body))
        answer = self.answers[verb]
        if isinstance(answer, int):
            return Response(answer, [], b"broken")
        return Response(200, [], orjson.dumps(answer(body) if callable(answer) else answer))

    async def close(self) -> None:
        return None


def extender(program: Program, **terms: Any) -> Extender:
    return Extender(Terms("http://extender.example", knows_nodes=True, **terms), program)


def cluster(*names: str, pods: tuple[dict[str, Any], ...] = ()) -> MemoryApi:
    api = MemoryApi()
    for name in names:
        api.put(NODES, node(name, cpu="1"))
    for each in pods:
        api.put(PODS, each)
    return api


async def test_only_nodes_that_it_lets_through_are_possible() -> None:
    api = cluster("a", "b", "c", pods=(pod("web"),))
    program = Program(filter={"NodeNames": ["c"], "FailedNodes": {"a": "too hot"}})
    async with running(api, [extender(program, filter_verb="filter")]):
        assert await until(lambda: bound(api, "web")) == "c"
    [(_, asked)] = program.asked
    assert (asked["Pod"]["metadata"]["name"], sorted(asked["NodeNames"]), asked["Nodes"]) == (
        "web",
        ["a", "b", "c"],
        None,
    )


async def test_its_words_stand_in_the_pods_condition() -> None:
    api = cluster("a", "b", pods=(pod("web"),))
    answer = {"NodeNames": [], "FailedNodes": {"a": "too hot"}, "FailedAndUnresolvableNodes": {"b": "no licence"}}
    async with running(api, [extender(Program(filter=answer), filter_verb="filter")]):
        await until(lambda: condition(api.pod("shop/web")))
    message = condition(api.pod("shop/web"))["message"]
    assert message.startswith("0/2 nodes are available: 1 no licence, 1 too hot.")


async def test_whole_nodes_go_to_one_that_does_not_know_them() -> None:
    api = cluster("a", "b", pods=(pod("web"),))
    program = Program(filter=lambda body: {"Nodes": {"items": body["Nodes"]["items"][:1]}})
    async with running(api, [Extender(Terms("http://x", filter_verb="filter"), program)]):
        assert await until(lambda: bound(api, "web")) == "a"
    [(_, asked)] = program.asked
    assert asked["NodeNames"] is None
    assert asked["Nodes"]["items"][0]["status"]["allocatable"]["cpu"] == "1"


async def test_its_scores_are_weighed_against_the_schedulers() -> None:
    answer = [{"Host": "a", "Score": 1}, {"Host": "b", "Score": 9}]
    busy = pod("busy", cpu="800m", nodeName="b")
    for weight, wanted in ((1, "b"), (3, "b")):
        api = cluster("a", "b", pods=(pod("web"), busy))
        program = Program(prioritize=answer)
        async with running(api, [extender(program, prioritize_verb="prioritize", weight=weight)]):
            assert await until(lambda api=api: bound(api, "web")) == wanted
    # Without it the node with more room would have been chosen.
    api = cluster("a", "b", pods=(pod("web"), busy))
    async with running(api):
        assert await until(lambda: bound(api, "web")) == "a"


async def test_scores_that_fail_are_left_out() -> None:
    api = cluster("a", "b", pods=(pod("web"),))
    async with running(api, [extender(Program(prioritize=500), prioritize_verb="prioritize")]):
        assert await until(lambda: bound(api, "web"))


async def test_a_failing_filter_is_an_error_unless_it_may_be_ignored() -> None:
    api = cluster("a", pods=(pod("web"),))
    async with running(api, [extender(Program(filter=500), filter_verb="filter")]):
        found = await until(lambda: condition(api.pod("shop/web")))
    assert found["reason"] == "SchedulerError"
    assert "failed filter with extender at URL http://extender.example/filter, code 500" in found["message"]
    api = cluster("a", pods=(pod("web"),))
    async with running(api, [extender(Program(filter=500), filter_verb="filter", ignorable=True)]):
        assert await until(lambda: bound(api, "web")) == "a"


@pytest.mark.parametrize("answer", [[], {"NodeNames": 5}, {"NodeNames": [5]}, {"Nodes": {"items": [{}]}}, "yes"])
async def test_an_answer_of_another_shape_is_a_failed_one(answer: Any) -> None:
    with pytest.raises(ExtenderFailed, match="filter: the answer has not the shape"):
        await extender(Program(filter=answer), filter_verb="filter").filter({}, ["a"], {})


async def test_all_questions_have_answers_of_one_shape() -> None:
    program = Program(prioritize=[{}], preempt={"NodeNameToMetaVictims": {"a": {"Pods": [{}]}}}, bind=None)
    asked = extender(program, prioritize_verb="prioritize", preempt_verb="preempt", bind_verb="bind")
    with pytest.raises(ExtenderFailed):
        await asked.prioritize({}, ["a"], {})
    with pytest.raises(ExtenderFailed):
        await asked.preempt({}, [])


async def test_pods_without_its_resources_pass_it_by() -> None:
    api = cluster("a", pods=(pod("web"),))
    program = Program(filter={"NodeNames": []})
    managed = frozenset({"example.com/widget"})
    async with running(api, [extender(program, filter_verb="filter", managed=managed)]):
        assert await until(lambda: bound(api, "web")) == "a"
    assert program.asked == []


async def test_it_binds_instead_of_the_scheduler() -> None:
    api = cluster("a", pods=(pod("web"),))
    program = Program(bind={"Error": ""})
    async with running(api, [extender(program, bind_verb="bind")]):
        await until(lambda: program.asked)
    assert program.asked == [
        ("bind", {"PodName": "web", "PodNamespace": "shop", "PodUID": "uid-web", "Node": "a"}),
    ]
    assert not [path for _, path, _ in api.log if path.endswith("/binding")]


async def test_it_has_a_say_in_who_is_preempted() -> None:
    victims = tuple(pod(f"old-{name}", cpu="900m", nodeName=name, priority=1) for name in ("a", "b"))
    api = cluster("a", "b", pods=(*victims, pod("vip", cpu="900m", priority=9)))
    program = Program(preempt=lambda body: {"NodeNameToMetaVictims": {"b": body["NodeNameToMetaVictims"]["b"]}})
    async with running(api, [extender(program, preempt_verb="preempt")]):
        assert await until(lambda: bound(api, "vip")) == "b"
    assert "shop/old-a" in api.objects[PODS]
    assert "shop/old-b" not in api.objects[PODS]


def test_the_configuration_is_kubernetes() -> None:
    section = {
        "urlPrefix": "http://127.0.0.1:8888/scheduler/",
        "filterVerb": "filter",
        "prioritizeVerb": "prioritize",
        "weight": 2,
        "enableHTTPS": True,
        "tlsConfig": {"insecure": True},
        "httpTimeout": "1m30s",
        "nodeCacheCapable": True,
        "managedResources": [{"name": "example.com/widget", "ignoredByScheduler": True}],
        "ignorable": True,
    }
    config = decode({"extenders": [section]})
    [terms] = config.extenders
    assert (terms.url, terms.timeout_s, terms.knows_nodes) == ("https://127.0.0.1:8888/scheduler", 90.0, True)
    assert terms.tls is not None
    assert terms.tls.insecure
    assert "example.com/widget" in config.profiles[0].fit.ignored


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ([{"urlPrefix": "http://x", "managedResources": [{"name": "cpu"}]}], "must be an extended resource"),
        ([{"urlPrefix": "http://x", "prioritizeVerb": "p", "weight": 0}], "extenders[0].weight"),
        ([{"urlPrefix": "http://x", "bindVerb": "b"}] * 2, "found 2 extenders implementing bind"),
        ([{"urlPrefix": "http://x", "filterVerbs": "b"}], "filterVerbs"),
        ([{"urlPrefix": "https://x", "tlsConfig": {"caFile": "/nowhere"}}], "extenders[0].tlsConfig.caFile"),
    ],
)
def test_a_wrong_section_is_named(sections: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        decode({"extenders": sections})
    assert words in str(wrong.value)
