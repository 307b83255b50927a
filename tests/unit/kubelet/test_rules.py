"""Small pure rules: back-off, probes, environment, names, resources, images, logs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.unit.kubelet.making import init, pod

from cybernetes.kubelet import backoff, env, envfile, images, naming, pods, probes, resources
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.lookout import in_order, log_text
from cybernetes.kubelet.puller import _is_reference
from cybernetes.kubelet.serve import logs
from cybernetes.kubelet.serve.logs import LogOptions
from cybernetes.kubelet.verdict import Rejection


def test_restarts_wait_10_20_40_up_to_300_seconds_and_start_over_after_20_minutes() -> None:
    entry, now, delays = None, 0.0, []
    for _ in range(7):
        entry = backoff.following(entry, now, now, 300.0)
        delays.append(entry.delay_s)
        now += entry.delay_s
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.remaining_s(entry, now, now, 300.0) == 300
    assert backoff.remaining_s(None, now, now, 300.0) == 0
    assert backoff.following(entry, now + 1000, now + 1000, 300.0).delay_s == 10
    assert backoff.following(Entry(10, 0), 0, 0, 1.0).delay_s == 1


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (3600, "1h0m0s")])
def test_durations_are_printed_as_go_does(seconds: float, text: str) -> None:
    assert backoff.go_duration(seconds) == text


def test_a_probe_decides_at_its_threshold() -> None:
    probe = {"failureThreshold": 2, "successThreshold": 1}
    tally = probes.fold(probes.Tally(), False, probe)
    assert tally.decided is None
    tally = probes.fold(tally, False, probe)
    assert tally.decided is False
    assert probes.fold(tally, True, probe).decided is True


def test_probe_targets_know_named_ports_and_headers() -> None:
    container = {"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}
    action = {"path": "/x", "port": "http", "httpHeaders": [{"name": "Host", "value": "h"}]}
    target = probes.http_target(action, container, "10.0.0.1", "kube-probe/1.37")
    assert target.url == "http://10.0.0.1:8080/x"
    assert target.headers == (("Host", "h"), ("User-Agent", "kube-probe/1.37"), ("Accept", "*/*"))
    with pytest.raises(probes.UnknownPort):
        probes.port_number(container, "grpc")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$", "$"),
        ("$x $(A", "$x $(A"),
        ("$$$(A)", "$1"),
    ],
)
def test_references_are_expanded(text: str, wanted: str) -> None:
    assert env.expand(text, {"A": "1"}) == wanted


def test_labels_become_quoted_lines() -> None:
    assert env.format_map({"b": 'x"y', "a": "1\n2"}) == 'a="1\\n2"\nb="x\\"y"'


def test_missing_sources_are_named() -> None:
    obj = pod()
    container = {
        **obj["spec"]["containers"][0],
        "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    }
    context = env.EnvContext((), (), (), env.Sources(), {})
    with pytest.raises(env.ConfigError, match='secret "s" not found'):
        env.environment(obj, container, context)
    found = env.Sources({("Secret", "shop", "s"): {"data": {}}})
    with pytest.raises(env.ConfigError, match="couldn't find key k in Secret shop/s"):
        env.environment(obj, container, env.EnvContext((), (), (), found, {}))


FILE = """
# written by an init container
A='a b'
  B='two
lines'
PLAIN=p=q
EMPTY=''
A='again'
"""


def test_a_file_of_variables_gives_the_values_of_keys() -> None:
    assert envfile.parse(FILE) == {"A": "again", "B": "two\nlines", "PLAIN": "p=q", "EMPTY": ""}
    assert envfile.parse("") == {}
    for wrong in ("A = 'x'", "just words", "A='x", "='x'", "A='x' y"):
        with pytest.raises(envfile.EnvFileError):
            envfile.parse(wrong)


def of_file(text: str | None, **reference: Any) -> dict[str, str]:
    source = {"volumeName": "v", "path": "f", "key": "A", **reference}
    container = {"name": "c", "env": [{"name": "K", "valueFrom": {"fileKeyRef": source}}]}
    obj = {"metadata": {"name": "p", "namespace": "shop"}, "spec": {"containers": [container]}}
    assert list(env.files_wanted(container)) == [("v", "f")]
    return env.environment(obj, container, env.EnvContext((), (), (), env.Sources(), {}, {("v", "f"): text}))


def test_a_variable_may_come_from_a_file_of_a_volume() -> None:
    assert of_file("A='1'") == {"K": "1"}
    for text in (None, "B='1'"):
        assert of_file(text, optional=True) == {}
        with pytest.raises(env.ConfigError, match='environment variable key "A" not found in file f'):
            of_file(text)
    with pytest.raises(env.ConfigError, match="couldn't parse env file f: line 1"):
        of_file("no", optional=True)


@pytest.mark.parametrize(
    ("found", "node", "expected"),
    [
        (("10.244.0.7", "fd00::7"), ("10.0.0.1", "fd00:1::1"), ("10.244.0.7", "fd00::7")),
        (("10.244.0.7", "fd00::7"), ("fd00:1::1",), ("fd00::7", "10.244.0.7")),
        (("fd00::7", "fd00::8", "10.244.0.7"), ("10.0.0.1",), ("10.244.0.7", "fd00::7")),
        (("fd00::7",), ("10.0.0.1",), ("fd00::7",)),
        ((), ("10.0.0.1",), ()),
    ],
)
def test_a_pod_has_an_address_of_each_family_the_nodes_own_family_first(
    found: tuple[str, ...], node: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert in_order(found, node) == expected


def test_hosts_files_list_addresses_and_aliases() -> None:
    obj = pod(hostname="h", subdomain="s", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["x", "y"]}])
    text = naming.hosts_file(obj, ["10.0.0.1"], "cluster.local", "")
    assert "10.0.0.1\th.s.shop.svc.cluster.local\th\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\tx\ty\n")
    host = naming.hosts_file(pod(hostNetwork=True), [], "cluster.local", "127.0.0.1 own\n")
    assert host == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 own\n"


def test_resolvers_are_cut_to_their_limits_with_a_warning() -> None:
    obj = pod(dnsPolicy="None", dnsConfig={"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]})
    config, warnings = naming.dns_config(obj, naming.DnsConfig(), (), "")
    assert len(config.servers) == 3
    assert warnings[0].endswith("the applied nameserver line is: 1.1.1.1 1.1.1.2 1.1.1.3")


def with_resources(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> Any:
    obj = pod()
    obj["spec"]["containers"][0]["resources"] = {"requests": requests or {}, "limits": limits or {}}
    return obj


@pytest.mark.parametrize(
    ("requests", "limits", "wanted"),
    [
        ({}, {}, "BestEffort"),
        ({"cpu": "0"}, {}, "BestEffort"),
        ({"cpu": "1"}, {}, "Burstable"),
        ({}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
        ({"cpu": "500m"}, {"cpu": "1", "memory": "1Gi"}, "Burstable"),
    ],
)
def test_quality_of_service_follows_requests_and_limits(requests: Any, limits: Any, wanted: str) -> None:
    assert resources.qos_class(with_resources(requests, limits)) == wanted


def test_shares_quota_weight_and_oom_score() -> None:
    assert [resources.shares(each) for each in (0, 1, 250, 1000, 10**9)] == [2, 2, 256, 1024, 262144]
    assert [resources.quota_us(each) for each in (0, 5, 1500)] == [0, 1000, 150000]
    assert [resources.weight(each) for each in (2, 1024, 262144)] == [1, 39, 10000]
    burstable = with_resources({"memory": "1Gi"})
    assert resources.oom_score_adj(burstable, burstable["spec"]["containers"][0], 4 << 30) == 750
    assert resources.oom_score_adj(pod(), pod()["spec"]["containers"][0], 4 << 30) == 1000


def test_sidecars_count_with_the_containers_and_init_containers_at_their_peak() -> None:
    obj = with_resources({"cpu": "1"})
    obj["spec"]["initContainers"] = [
        init("side", restartPolicy="Always", resources={"requests": {"cpu": "1"}}),
        init("big", resources={"requests": {"cpu": "3"}}),
    ]
    assert resources.pod_requests(obj)["cpu"] == 4000


def test_registry_credentials_fit_by_host_and_path() -> None:
    team, hub = images.Entry(username="t", password="p"), images.Entry(auth="dTpw")
    keys = images.keyring([{"https://reg.test/team": team, "*.hub.test": hub}])
    assert [each.username for each in images.credentials(keys, "reg.test/team/app:1")] == ["t"]
    assert [each.username for each in images.credentials(keys, "x.hub.test/app")] == ["u"]
    assert images.credentials(keys, "reg.test/other:1") == []
    assert images.credentials(keys, "app") == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"auths": [1]}', '{"auths": {"reg.test": 5}}', '{"auths": {"reg.test": {"auth": 5}}}', "\xff"],
)
def test_a_pull_secret_that_is_none_has_no_registries(text: str) -> None:
    data = base64.b64encode(text.encode("latin-1")).decode()
    secret = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}}
    assert images.keyring([images.docker_config(secret)]) == []


def test_a_password_that_is_no_base64_is_none() -> None:
    [key] = images.keyring([{"reg.test": images.Entry(auth="%%%a")}])
    assert (key.where, key.username, key.password) == ("reg.test", "", "")


@pytest.mark.parametrize(
    ("text", "good"),
    [("busybox", True), ("reg.test:5000/a/b:1", True), ("A/b", True), ("a/B:1", False), ("", False), ("a:", False)],
)
def test_image_references(text: str, good: bool) -> None:
    assert _is_reference(text) is good


@pytest.mark.parametrize(
    ("image", "wanted"),
    [("a", "a:latest"), ("r:5000/a", "r:5000/a:latest"), ("a:1", "a:1"), ("a@sha256:x", "a@sha256:x")],
)
def test_images_without_a_tag_are_the_latest(image: str, wanted: str) -> None:
    assert pods.default_tag(image) == wanted


@pytest.mark.parametrize(
    ("meta", "override", "wanted"),
    [
        ({}, None, 30),
        ({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 5}, None, 5),
        ({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}, None, 1),
        ({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 5}, 2, 2),
        ({}, 0, 1),
    ],
)
def test_grace_only_shrinks_and_never_below_a_second(meta: Any, override: int | None, wanted: int) -> None:
    obj = pod()
    obj["metadata"].update(meta)
    assert pods.grace_s(obj, override) == wanted


LINE = b"2024-05-01T10:00:00.5Z stdout F hello"


def test_log_lines_are_formatted_and_filtered() -> None:
    assert logs.format_line(LINE, LogOptions()) == b"hello\n"
    assert logs.format_line(LINE.replace(b" F ", b" P "), LogOptions()) == b"hello"
    assert logs.format_line(LINE, LogOptions(timestamps=True)) == b"2024-05-01T10:00:00.500000000Z hello\n"
    assert logs.format_line(LINE, LogOptions(stream="Stderr")) is None
    assert logs.format_line(LINE, LogOptions(since=1714557600.4)) == b"hello\n"
    assert logs.format_line(LINE, LogOptions(since=1714557600.6)) is None
    assert logs.format_line(b"broken", LogOptions()) is None


@pytest.mark.parametrize(("lines", "wanted"), [(0, 300), (1, 297), (2, 294), (100, 0), (1000, 0)])
def test_the_tail_of_a_log_is_found_from_its_end(tmp_path: Path, lines: int, wanted: int) -> None:
    path = tmp_path / "pod" / "c" / "0.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(b"%02d\n" % each for each in range(100)))
    assert logs.tail_offset(path, lines) == wanted


def test_last_words_may_come_from_the_log() -> None:
    tail = "t stderr F one\nt stderr P tw\nt stderr F o\n"
    assert log_text(tail) == "one\ntwo\n"


def test_a_node_without_room_says_what_is_missing() -> None:
    from cybernetes.kubelet.admit import ports_taken, short_of

    obj = with_resources({"cpu": "4"})
    room = {"cpu": 2000, "pods": 10}
    text = "Node didn't have enough resource: cpu, requested: 4000, used: 0, capacity: 2000"
    assert short_of(obj, [], room) == Rejection("OutOfcpu", text)
    assert short_of(pod(), [pod()] * 10, room) == Rejection(
        "OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 10, capacity: 10"
    )
    assert short_of(with_resources({"example.com/offered-by-others": "4"}), [], room) is None
    port = pod()
    port["spec"]["containers"][0]["ports"] = [{"containerPort": 1, "hostPort": 80}]
    assert ports_taken(port, [port]) is not None
    assert ports_taken(port, [pod()]) is None


def test_extended_resources_that_others_say_the_node_has_are_counted() -> None:
    from cybernetes.kubelet.admit import offered, short_of

    told = {"cpu": "64", "example.com/dongle": "3", "kubernetes.io/batteries": "5"}
    room = offered({"cpu": 1000, "pods": 10}, {"status": {"allocatable": told}})
    assert room == {"cpu": 1000, "pods": 10, "example.com/dongle": 3}
    assert offered({"cpu": 1000}, None) == {"cpu": 1000}
    two = with_resources({"example.com/dongle": "2"})
    text = "Node didn't have enough resource: example.com/dongle, requested: 2, used: 2, capacity: 3"
    assert short_of(two, [], room) is None
    assert short_of(two, [two], room) == Rejection("OutOfexample.com/dongle", text)


def test_links_in_place_of_logs_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = tmp_path / "pods" / "pod" / "c"
    folder.mkdir(parents=True)
    (folder / "0.log").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        logs.open_log(folder / "0.log")
    (folder.parent / "d").symlink_to(tmp_path)
    with pytest.raises(OSError, match="Not a directory"):
        logs.open_log(folder.parent / "d" / "secret")


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("GET", "/exec/ns/p/c", "create"),
        ("GET", "/portForward/ns/p", "create"),
        ("GET", "/containerLogs/ns/p/c", "get"),
        ("POST", "/checkpoint/ns/p/c", "create"),
        ("GET", "/", "get"),
    ],
)
def test_sessions_need_create_whatever_the_method(method: str, path: str, verb: str) -> None:
    from cybernetes.kubelet.serve.access import verb_of

    assert verb_of(method, path) == verb


def test_an_empty_local_profile_is_an_error() -> None:
    from cybernetes.kubelet import security
    from cybernetes.kubelet.runtime.api import Image

    obj = pod(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": ""}})
    with pytest.raises(env.ConfigError):
        security.container_context(obj, obj["spec"]["containers"][0], Image("i", (), (), 0, 0, "", False), "/s", ())


def test_pods_above_their_storage_limits_are_named() -> None:
    from cybernetes.kubelet import eviction

    obj = with_resources(limits={"ephemeral-storage": "1Mi"})
    assert eviction.over_storage_limit(obj, {"a": 1 << 20}, 0) == ""
    text = 'Container a exceeded its local ephemeral storage limit "1Mi". '
    assert eviction.over_storage_limit(obj, {"a": (1 << 20) + 1}, 0) == text
    text = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    assert eviction.over_storage_limit(obj, {"a": 1}, 1 << 20) == text


def test_pods_are_evicted_in_order_of_excess_and_priority() -> None:
    from cybernetes.kubelet import eviction
    from cybernetes.kubelet.eviction import Candidate, Signal

    def candidate(name: str, used: int, requested: int, priority: int = 0) -> Candidate:
        obj = pod(priority=priority)
        obj["metadata"]["name"] = name
        return Candidate(obj, used, requested, {"a": used})

    rows = [
        candidate("modest", 5, 10),
        candidate("greedy", 50, 10),
        candidate("worse", 90, 10),
        candidate("important", 90, 10, 1000),
        candidate("critical", 900, 0, 2_000_000_000),
    ]
    names = [each.pod["metadata"]["name"] for each in eviction.rank(rows)]
    assert names == ["worse", "greedy", "important", "modest"]
    verdict = eviction.verdict(candidate("x", 2048, 0), Signal("memory.available", 50 << 20, 100 << 20))
    assert verdict.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container a was using 2Ki, request is 0, has larger consumption of memory. "
    )
    assert verdict.grace_s == 1


def test_memory_pressure_turns_away_only_pods_without_requests() -> None:
    from cybernetes.kubelet import eviction

    pressed = frozenset({"MemoryPressure"})
    refused = eviction.rejection(pod(), pressed)
    assert refused == Rejection("Evicted", "The node had condition: [MemoryPressure]. ")
    assert eviction.rejection(with_resources({"cpu": "1"}), pressed) is None
    assert eviction.rejection(with_resources({"cpu": "1"}), frozenset({"DiskPressure"})) is not None
    tolerant = pod(tolerations=[{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}])
    assert eviction.rejection(tolerant, pressed) is None


def test_images_unused_for_longest_are_removed_first() -> None:
    from cybernetes.kubelet import image_gc
    from cybernetes.kubelet.image_gc import Known
    from cybernetes.kubelet.runtime.api import Image

    def image(name: str, size: int, *, pinned: bool = False) -> Image:
        return Image(name, (f"{name}:1",), (), size, 0, "", pinned)

    rows = [image("old", 10), image("older", 10), image("used", 10), image("new", 10), image("pause", 10, pinned=True)]
    known = {
        "old": Known(0, 50),
        "older": Known(0, 10),
        "used": Known(0, 0),
        "new": Known(990, 0),
        "pause": Known(0, 0),
    }
    assert [each.id for each in image_gc.choose(rows, known, {"used:1"}, 15, 1000)] == ["older", "old"]
    assert image_gc.to_free(20, 100, 85, 80) == 0
    assert image_gc.to_free(10, 100, 85, 80) == 10


def test_what_is_not_supported_is_rejected() -> None:
    from cybernetes.kubelet.admit import unsupported

    obj = pod()
    assert unsupported(obj) == ""
    assert "user namespaces" in unsupported(pod(hostUsers=False))
    assert "no driver" in unsupported(pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}]))
