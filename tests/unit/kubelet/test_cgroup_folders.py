"""Cgroups of pods, in folders that stand for the kernel's."""

from pathlib import Path

from cybernetes.kubelet.cgroups import Cgroups


def test_a_pods_group_goes_from_every_hierarchy_also_the_unified_one_of_a_hybrid_layout(tmp_path: Path) -> None:
    names = ("cpu", "memory", "systemd", "unified")
    for name in names:
        (tmp_path / name / "kubepods/pod1/container").mkdir(parents=True)
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpu/tasks").touch()
    Cgroups(tmp_path).remove("/kubepods/pod1")
    assert [list((tmp_path / name / "kubepods").iterdir()) for name in names] == [[]] * len(names)
