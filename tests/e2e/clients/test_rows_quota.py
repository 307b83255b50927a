"""Resource quotas count what is there, for scopes too, and refuse what would be too much."""

from __future__ import annotations

from typing import Any

from tests.e2e.clients.calling import Caller, Object, config_map, controller, deployment, pod

HARD = {
    "pods": "5", "services": "10", "services.nodeports": "1", "services.loadbalancers": "1", "configmaps": "10",
    "secrets": "10", "replicationcontrollers": "10", "resourcequotas": "1", "count/replicasets.apps": "5",
    "requests.cpu": "1", "requests.memory": "500Mi", "limits.cpu": "2", "requests.ephemeral-storage": "50Gi",
}  # fmt: skip


def quota(caller: Caller, name: str, hard: dict[str, str], **spec: Any) -> str:
    path = f"{caller.space}/resourcequotas"
    caller.ok("POST", path, {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    caller.until(f"{path}/{name}", lambda obj: obj.get("status", {}).get("hard") == hard)
    return f"{path}/{name}"


def uses(caller: Caller, path: str, **used: str) -> None:
    caller.until(path, lambda obj: used.items() <= obj["status"]["used"].items())


def refused(caller: Caller, path: str, body: Object) -> str:
    status, answer = caller.call("POST", path, body)
    assert status == 403, answer
    return str(answer["message"])


def test_a_quota_follows_the_life_of_what_it_counts(caller: Caller) -> None:
    path, space = quota(caller, "all", HARD), caller.space
    before = caller.ok("GET", path)["status"]["used"]
    assert before["resourcequotas"] == "1" and before["pods"] == "0"
    config_maps, secrets = int(before["configmaps"]), int(before["secrets"])
    caller.ok("POST", f"{space}/configmaps", config_map("m"))
    uses(caller, path, configmaps=str(config_maps + 1))
    caller.ok("POST", f"{space}/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    uses(caller, path, secrets=str(secrets + 1))
    caller.ok("POST", f"{space}/replicationcontrollers", controller("rc", 0))
    uses(caller, path, replicationcontrollers="1")
    sets = caller.of("apps/v1", "replicasets")
    caller.ok("POST", sets, deployment("rs", 0))
    uses(caller, path, **{"count/replicasets.apps": "1"})
    port = {"metadata": {"name": "port"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    caller.ok("POST", f"{space}/services", port)
    uses(caller, path, services="1", **{"services.nodeports": "1"})
    balanced = {"metadata": {"name": "lb"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    assert (
        "exceeded quota: all, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1"
        in (refused(caller, f"{space}/services", balanced))
    )
    for each in ("configmaps/m", "secrets/s", "replicationcontrollers/rc", "services/port"):
        caller.ok("DELETE", f"{space}/{each}")
    caller.ok("DELETE", f"{sets}/rs")
    nothing = {"services": "0", "services.nodeports": "0", "replicationcontrollers": "0", "count/replicasets.apps": "0"}
    uses(caller, path, configmaps=str(config_maps), secrets=str(secrets), **nothing)


def test_pods_are_counted_by_what_they_ask_for(caller: Caller) -> None:
    hard = {name: HARD[name] for name in ("pods", "requests.cpu", "requests.memory", "requests.ephemeral-storage")}
    hard |= {"requests.example.com/dongle": "3"}
    path, pods = quota(caller, "pods", hard), f"{caller.space}/pods"
    asks = {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2"}
    limits = {"example.com/dongle": "2"}
    fits = caller.ok("POST", pods, pod("fits", resources={"requests": asks, "limits": limits}))
    used = {"pods": "1"} | {f"requests.{name}": value for name, value in asks.items()}
    uses(caller, path, **used)
    larger = {"cpu": "600m", "memory": "100Mi", "ephemeral-storage": "1Gi"}
    more = refused(caller, pods, pod("more", resources={"requests": larger}))
    assert 'pods "more" is forbidden: exceeded quota: pods, requested: requests.cpu=600m' in more
    dongles = {"cpu": "100m", "memory": "100Mi", "ephemeral-storage": "1Gi", "example.com/dongle": "2"}
    more = refused(caller, pods, pod("dongles", resources={"requests": dongles, "limits": limits}))
    assert "exceeded quota: pods, requested: requests.example.com/dongle=2, used: requests.example.com/dongle=2" in more
    assert "must specify requests.cpu" in refused(caller, pods, pod("silent"))
    fits["spec"]["containers"][0]["resources"]["requests"] |= {"cpu": "100m", "memory": "100Mi"}
    # The scheduler may have written its status meanwhile.
    del fits["metadata"]["resourceVersion"]
    status, answer = caller.call("PUT", f"{pods}/fits", fits)
    assert (status, answer["reason"]) == (422, "Invalid"), answer
    uses(caller, path, **used)
    caller.ok("PATCH", f"{pods}/fits", {"metadata": {"labels": {"a": "b"}}})
    uses(caller, path, **used)
    caller.ok("DELETE", f"{pods}/fits")
    uses(caller, path, **dict.fromkeys(used, "0"))


def test_scopes_tell_pods_apart(caller: Caller) -> None:
    hard, pods = {"pods": "5"}, f"{caller.space}/pods"
    best = quota(caller, "best", hard, scopes=["BestEffort"])
    rest = quota(caller, "rest", hard, scopes=["NotBestEffort"])
    ends = quota(caller, "ends", hard, scopes=["Terminating"])
    stays = quota(caller, "stays", hard, scopes=["NotTerminating"])
    caller.ok("POST", pods, pod("effort"))
    uses(caller, best, pods="1")
    uses(caller, stays, pods="1")
    assert [caller.ok("GET", each)["status"]["used"] for each in (rest, ends)] == [{"pods": "0"}] * 2
    requests = {"requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}}
    caller.ok("POST", pods, pod("bounded", resources=requests, activeDeadlineSeconds=3600))
    uses(caller, rest, pods="1")
    uses(caller, ends, pods="1")
    assert [caller.ok("GET", each)["status"]["used"] for each in (best, stays)] == [{"pods": "1"}] * 2
    for name in ("effort", "bounded"):
        caller.ok("DELETE", f"{pods}/{name}")
    for each in (best, rest, ends, stays):
        uses(caller, each, pods="0")


def test_a_quotas_own_life(caller: Caller) -> None:
    path = quota(caller, "own", {"configmaps": "100"})
    obj = caller.ok("GET", path)
    obj["spec"]["hard"] = {"configmaps": "10", "secrets": "5"}
    caller.ok("PUT", path, obj)
    caller.until(path, lambda found: found["status"]["hard"] == {"configmaps": "10", "secrets": "5"})
    caller.ok("PATCH", path, {"metadata": {"labels": {"l": "1"}}, "spec": {"hard": {"secrets": "6"}}})
    caller.until(path, lambda found: found["status"]["hard"]["secrets"] == "6")
    everywhere = caller.names("/api/v1/resourcequotas", labelSelector="l=1")
    assert everywhere == ["own"]
    patched = caller.ok("PATCH", f"{path}/status", {"status": {"hard": {"configmaps": "11"}}})
    assert patched["status"]["hard"]["configmaps"] == "11"
    collection = f"{caller.space}/resourcequotas"
    caller.ok("DELETE", collection, labelSelector="l=1")
    assert caller.names(collection) == []
    assert caller.call("GET", path)[0] == 404
