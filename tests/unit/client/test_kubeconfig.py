"""kubeconfig files: merging, embedded and named material, what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cybernetes.base.errors import EdgeError
from cybernetes.client import kubeconfig
from cybernetes.client.kubeconfig import Access


def test_what_is_built_is_read_back(tmp_path: Path) -> None:
    access = Access(server="https://10.0.0.1:6443", authority=b"CA", certificate=b"CERT", key=b"KEY", namespace="shop")
    file = tmp_path / "deep" / "config"
    kubeconfig.write(file, kubeconfig.build(access, name="prod", user="admin"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert kubeconfig.access(kubeconfig.load([file])) == access


def test_of_several_files_the_first_to_say_wins(tmp_path: Path) -> None:
    for name, server in (("a", "https://a"), ("b", "https://b")):
        config = kubeconfig.build(Access(server=server, token=name), name="same", user=f"user-{name}")
        kubeconfig.write(tmp_path / name, config)
    merged = kubeconfig.load([tmp_path / "missing", tmp_path / "a", tmp_path / "b"])
    assert kubeconfig.access(merged).server == "https://a"
    assert [user["name"] for user in merged["users"]] == ["user-a", "user-b"]


def test_files_are_found_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"CA")
    (tmp_path / "token").write_text("secret\n")
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://c", "certificate-authority": "ca.pem"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    access = kubeconfig.access(kubeconfig.load([tmp_path / "config"]), "x")
    assert (access.authority, access.token) == (b"CA", "secret")
    assert access.without_identity().token == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"current-context": "other"}, "context 'other': not in contexts"),
        ({"clusters": []}, "cluster 'c': not in clusters"),
        ({"users": []}, "user 'u': not in users"),
    ],
)
def test_what_is_missing_is_named(change: dict, words: str) -> None:
    config = kubeconfig.build(Access(server="https://c"), name="c", user="u")
    with pytest.raises(EdgeError, match=words):
        kubeconfig.access({**config, **change})


def test_where_files_are_looked_for() -> None:
    assert kubeconfig.paths({"KUBECONFIG": "/a:/b"}) == [Path("/a"), Path("/b")]
    assert kubeconfig.paths({"HOME": "/home/u"}) == [Path("/home/u/.kube/config")]


def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a: [")
    with pytest.raises(EdgeError, match="config"):
        kubeconfig.load([tmp_path / "config"])
