"""The cluster of the journey, fresh, for tests that take its network away."""

from tests.e2e.cluster.conftest import cluster

__all__ = ["cluster"]
