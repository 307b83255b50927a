"""What a person reads who types something that can't work: one line that says what to do."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cybernetes.cli.kubectl import needs_cluster
from cybernetes.cli.main import cybernetes, said
from cybernetes.install.machine import free_port

POD = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: i}]}}"


def typed(*words: str) -> Result:
    return CliRunner().invoke(cybernetes, words)


@pytest.mark.parametrize(
    "verb",
    [
        ("status",),
        ("kubeconfig",),
        ("logs", "apiserver"),
        ("explain", "pod", "web"),
        ("fetch", "http://hello/"),
        ("doctor", "--security"),
        ("secrets", "rotate"),
        ("certs",),
        ("certs", "renew"),
        ("certs", "rotate-ca"),
        ("certs", "rotate-sa"),
        ("token", "create"),
        ("token", "list"),
    ],
)
def test_without_a_cluster_each_verb_says_how_to_start_one_there(verb: tuple[str, ...], tmp_path: Path) -> None:
    result = typed(*verb, "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.startswith("Error: no cluster ")
    assert f"start one with: cybernetes up --data-dir {tmp_path}" in result.output


def test_kubectl_says_so_too(tmp_path: Path) -> None:
    result = CliRunner().invoke(cybernetes, ["kubectl", "get", "nodes"], env={"CYBERNETES_DATA_DIR": str(tmp_path)})
    assert result.exit_code == 1
    assert result.output == f"Error: no cluster in {tmp_path}; start one with: cybernetes up --data-dir {tmp_path}\n"
    assert not any(needs_cluster(each) for each in ((), ("get", "--help"), ("version", "--client"), ("kustomize", ".")))


def test_a_token_for_an_api_server_on_loopback_says_how_others_can_reach_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("apiServer: {port: 7443}\n")
    (tmp_path / "admin.kubeconfig").touch()
    result = typed("token", "create", "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert "the API server is at https://127.0.0.1:7443, where other machines can't reach it" in result.output
    assert f"below apiServer in {tmp_path}/config.yaml, then type cybernetes up --data-dir {tmp_path}" in result.output


def test_who_asks_a_cluster_that_does_not_run_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("apiServer: {port: 7443}\n")
    server = f"https://127.0.0.1:{free_port(0)}"
    cluster, context = {"server": server}, {"cluster": "c", "user": "u"}
    named = {"clusters": {"cluster": cluster}, "users": {"user": {}}, "contexts": {"context": context}}
    lists = {plural: [{"name": plural[0], **each}] for plural, each in named.items()}
    (tmp_path / "admin.kubeconfig").write_text(json.dumps({**lists, "current-context": "c"}))
    result = typed("explain", "pod", "web", "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert f"; no cluster runs in {tmp_path}, start it with: cybernetes up --data-dir {tmp_path}\n" in result.output


def test_a_machine_that_joined_says_where_to_type_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("joined: true\n")
    result = typed("kubeconfig", "--data-dir", str(tmp_path))
    assert (result.exit_code, result.output) == (
        1,
        "Error: this machine is only a node; type it where the control plane is\n",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b", "expected ',' or ']'"),
        ("just a text", "a document without kind is no manifest"),
        ("metadata: {name: x}", "a document without kind is no manifest"),
        ('{"kind": ', "can't read"),
        ("", "no pods in"),
        ("{kind: Service, metadata: {name: web}}", "passed over, not known to make pods: Service web"),
    ],
)
def test_manifests_that_can_not_be_placed_are_named(text: str, said: str, tmp_path: Path) -> None:
    pods, cluster = tmp_path / "pods.yaml", tmp_path / "cluster.json"
    pods.write_text(text)
    cluster.write_text('{"kind": "List", "items": []}')
    result = typed("schedule", "--dry-run", "-f", str(pods), "--snapshot", str(cluster))
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert said in result.output and str(pods) in result.output


def test_a_wrong_field_is_told_with_its_pod(tmp_path: Path) -> None:
    pods, cluster = tmp_path / "pods.yaml", tmp_path / "cluster.json"
    pods.write_text(POD.replace("image: i", "image: i, resources: {requests: {cpu: much}}"))
    cluster.write_text('{"kind": "List", "items": []}')
    result = typed("schedule", "--dry-run", "-f", str(pods), "--snapshot", str(cluster))
    assert result.output.startswith("Error: pod web: ")


def test_a_saved_cluster_that_is_none_is_refused(tmp_path: Path) -> None:
    pods = tmp_path / "pods.yaml"
    pods.write_text(POD)
    for text, expected in (("a: [b", "can't read"), ("{}", "is no List of objects")):
        (tmp_path / "saved").write_text(text)
        result = typed("schedule", "--dry-run", "-f", str(pods), "--snapshot", str(tmp_path / "saved"))
        assert (result.exit_code, expected in result.output) == (1, True), result.output


@pytest.mark.parametrize(
    "words",
    [
        ("bench", "api", "--plot"),
        ("bench", "density", "--json"),
        ("image", "build", ".", "--archive"),
        ("schedule", "--dry-run", "-f", __file__, "--save"),
    ],
)
def test_a_folder_that_is_missing_is_told_before_the_work(words: tuple[str, ...], tmp_path: Path) -> None:
    result = typed(*words, str(tmp_path / "none" / "out.svg"))
    assert (result.exit_code, f"there is no folder {tmp_path}/none" in result.output) == (2, True), result.output


def test_who_may_not_write_is_told_the_file_and_what_to_try() -> None:
    assert (
        said(PermissionError(13, "Permission denied", "/x")) == "[Errno 13] Permission denied: '/x'; try it with sudo"
    )


def test_a_cluster_of_another_user_is_not_taken_for_none(tmp_path: Path) -> None:
    tmp_path.chmod(0o700 if os.geteuid() == 0 else 0)
    was = os.geteuid()
    with contextlib.ExitStack() as again:
        if was == 0:
            again.callback(os.seteuid, was)
            os.seteuid(65534)
        result = typed("status", "--data-dir", str(tmp_path))
    assert isinstance(result.exception, PermissionError) and str(tmp_path) in str(result.exception)


def test_components_without_an_api_server_are_not_begun(tmp_path: Path) -> None:
    result = typed("up", "--only", "kubelet,proxy", "--data-dir", str(tmp_path / "new"))
    assert result.exit_code == 2 and "add apiserver" in result.output
    assert not (tmp_path / "new").exists()


def test_a_number_of_nodes_is_that_of_a_new_cluster(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("nodes: [{name: a, address: 192.0.2.1}]\n")
    result = typed("up", "--nodes", "3", "--data-dir", str(tmp_path))
    assert (result.exit_code, result.output) == (
        1,
        f"Error: the cluster in {tmp_path} was made with --nodes 1; for another number take it away first: "
        f"cybernetes down --data-dir {tmp_path}\n",
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_both_names_of_the_program_are_completed(shell: str) -> None:
    script = typed("completion", shell).output
    assert "_cybernetes_completion" in script and "_cyb_completion" in script


def test_names_of_logs_are_completed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("apiserver", "scheduler"):
        (tmp_path / "logs" / f"{name}.log").touch()
    words = {"COMP_WORDS": "cybernetes logs s", "COMP_CWORD": "2", "_CYBERNETES_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(
        cybernetes, [], prog_name="cybernetes", env={**words, "CYBERNETES_DATA_DIR": str(tmp_path)}
    )
    assert result.output == "plain,scheduler\n"
