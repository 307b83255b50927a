"""A cluster's context in the user's kubeconfig, beside those that are there already."""

from pathlib import Path

import pytest
import yaml

from cybernetes.install.user_kubeconfig import merge_into_users, remove_from_users, users_file


def kubeconfig(name: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443"}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "users"))
    path = tmp_path / "own"
    path.write_text(yaml.safe_dump(kubeconfig("cybernetes")))
    return path


def test_a_first_merge_makes_a_private_file(own: Path) -> None:
    written = merge_into_users(own)
    assert yaml.safe_load(written.read_text())["current-context"] == "cybernetes"
    assert written.stat().st_mode & 0o777 == 0o600


def test_other_contexts_are_kept_and_merging_twice_adds_nothing(own: Path, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(yaml.safe_dump(kubeconfig("other")))
    merge_into_users(own)
    merge_into_users(own)
    document = yaml.safe_load((tmp_path / "users").read_text())
    assert [each["name"] for each in document["contexts"]] == ["other", "cybernetes"]


def test_removal_leaves_the_others(own: Path, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(yaml.safe_dump(kubeconfig("other")))
    merge_into_users(own)
    remove_from_users(own)
    document = yaml.safe_load((tmp_path / "users").read_text())
    assert [each["name"] for each in document["clusters"]] == ["other"]
    assert document["current-context"] == ""


def test_another_cluster_of_the_same_name_stays(own: Path, tmp_path: Path) -> None:
    elsewhere = kubeconfig("cybernetes")
    elsewhere["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:7443"
    users = tmp_path / "users"
    users.write_text(yaml.safe_dump(elsewhere))
    remove_from_users(own)
    assert yaml.safe_load(users.read_text()) == elsewhere


def test_the_first_existing_file_of_the_list_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = tmp_path / "second"
    second.touch()
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'first'}:{second}")
    assert users_file() == second
