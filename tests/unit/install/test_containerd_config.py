"""What a node's containerd is told, for the machines there are."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cybernetes.install import cgroups, containerd
from cybernetes.run.layout import NodeLayout

PLUGIN = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}


def capabilities(*, version: int, crun: bool) -> containerd.Capabilities:
    return containerd.Capabilities(
        config_version=version,
        may_lower_oom_score=True,
        systemd_cgroup=False,
        cni_binaries=Path("/opt/cni/bin"),
        root_is_own=True,
        crun=crun,
    )


def settings(*, version: int, crun: bool) -> dict[str, Any]:
    given = capabilities(version=version, crun=crun)
    found: dict[str, Any] = tomllib.loads(containerd.render(NodeLayout(Path("/data/nodes/a")), given))
    return found["plugins"][PLUGIN[version]]["containerd"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("version", [2, 3])
def test_crun_is_the_default_where_it_works_and_runc_stays_to_be_named(version: int) -> None:
    found = settings(version=version, crun=True)
    assert found["default_runtime_name"] == "crun"
    assert {name: each["options"]["BinaryName"] for name, each in found["runtimes"].items()} == {
        "runc": "/data/nodes/a/runtimes/runc",
        "crun": "/data/nodes/a/runtimes/crun",
    }


@pytest.mark.parametrize("version", [2, 3])
def test_runc_is_the_default_where_crun_does_not_work(version: int) -> None:
    found = settings(version=version, crun=False)
    assert found["default_runtime_name"] == "runc"
    assert list(found["runtimes"]) == ["runc"]


@pytest.mark.parametrize("version", [2, 3])
def test_plugins_are_looked_for_in_the_node_s_folder_first(version: int) -> None:
    rendered = containerd.render(NodeLayout(Path("/data/nodes/a")), capabilities(version=version, crun=True))
    cni = tomllib.loads(rendered)["plugins"][PLUGIN[version]]["cni"]
    folders = cni["bin_dirs"] if version == 3 else [cni["bin_dir"]]
    assert folders[0] == "/data/nodes/a/cni/bin"


@pytest.mark.parametrize(
    ("printed", "recent"),
    [("crun version 1.8.1\ncommit: f8a", True), ("crun version 1.14", True), ("crun version 0.17", False), ("", False)],
)
def test_an_old_crun_is_left_alone(printed: str, recent: bool) -> None:
    assert containerd.crun_is_recent(printed) is recent


def test_controllers_of_the_unified_tree_beside_the_old_hierarchies_are_stray(tmp_path: Path) -> None:
    assert cgroups.stray_controllers(tmp_path) == []
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("hugetlb misc\n")
    assert cgroups.stray_controllers(tmp_path) == ["hugetlb", "misc"]


def test_a_list_that_was_hidden_is_known_by_its_mount() -> None:
    before = "33 24 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:16 - cgroup cgroup rw,cpu\n"
    over = "99 40 254:0 /var/lib/c/run/no-controllers /sys/fs/cgroup/unified/cgroup.controllers rw - ext4 /dev/vda rw\n"
    assert not cgroups.is_hidden(before)
    assert cgroups.is_hidden(before + over)


def test_groups_are_made_to_change_fast_once_with_the_options_that_they_have() -> None:
    old = "33 24 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:16 - cgroup cgroup rw,cpu\n"
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate"
    assert cgroups.unfavored(old) is None
    assert cgroups.unfavored(f"{old}{unified}\n") == ("/sys/fs/cgroup/unified", "rw,nsdelegate")
    assert cgroups.unfavored(f"{old}{unified},favordynmods\n") is None


@pytest.mark.parametrize("version", [2, 3])
def test_programs_look_for_libraries_where_the_machine_has_them(version: int) -> None:
    rendered = containerd.render(NodeLayout(Path("/data/nodes/a")), capabilities(version=version, crun=True))
    assert "io.containerd.internal.v1.opt" in tomllib.loads(rendered)["disabled_plugins"]


def test_the_server_that_is_asked_last_is_trusted_like_the_host(tmp_path: Path) -> None:
    node = NodeLayout(tmp_path)
    host = containerd.RegistryHost("registry:5000", "https://192.0.2.2:5000", Path("/ca"), Path("/crt"), Path("/key"))
    containerd.write_configuration(node, capabilities(version=2, crun=False), [host])
    written = tomllib.loads((node.registry_hosts / "registry:5000" / "hosts.toml").read_text())
    access = {"ca": "/ca", "client": [["/crt", "/key"]]}
    assert written == {
        "server": "https://192.0.2.2:5000",
        **access,
        "host": {"https://192.0.2.2:5000": {"capabilities": ["pull", "resolve"], **access}},
    }


@pytest.mark.parametrize(("version", "named"), [(2, False), (3, True)])
def test_a_registry_at_an_address_of_ipv6_is_named_where_it_can_be(tmp_path: Path, version: int, named: bool) -> None:
    node, server = NodeLayout(tmp_path), "https://[fd00::2]:5000"
    host = containerd.RegistryHost("registry:5000", server, Path("/ca"), Path("/crt"), Path("/key"))
    containerd.write_configuration(node, capabilities(version=version, crun=False), [host])
    written = tomllib.loads((node.registry_hosts / "registry:5000" / "hosts.toml").read_text())
    access = {"ca": "/ca", "client": [["/crt", "/key"]]}
    if named:
        assert written["host"] == {server: {"capabilities": ["pull", "resolve"], **access}}
    else:
        assert written == {"server": server, **access, "capabilities": ["pull", "resolve"], "host": {}}
