"""Which mounts are below a folder, by what the kernel lists."""

from pathlib import Path

from cybernetes.kubelet.volumes.kernel import points_below

LISTED = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
90 22 0:50 / /data/pods/a rw - tmpfs tmpfs rw
91 90 0:51 / /data/pods/a/volumes/token rw - tmpfs tmpfs rw
92 22 0:52 / /data/pods/ab rw - tmpfs tmpfs rw
93 22 0:53 / /my\\040data/pods/a/x rw - tmpfs tmpfs rw
94 22 0:54 /data/pods/a /elsewhere rw - ext4 /dev/vda rw
"""


def test_mounts_at_and_below_a_folder_are_found_deepest_first() -> None:
    assert points_below(LISTED, Path("/data/pods/a")) == [Path("/data/pods/a/volumes/token"), Path("/data/pods/a")]


def test_names_that_the_kernel_escapes_are_found() -> None:
    assert points_below(LISTED, Path("/my data/pods")) == [Path("/my data/pods/a/x")]
