"""The fixture that users of the project have too: see `cybernetes.testing`."""

from cybernetes.testing.apiserver import RunningApi, running_apiserver, serving_apiserver

__all__ = ["RunningApi", "running_apiserver", "serving_apiserver"]
