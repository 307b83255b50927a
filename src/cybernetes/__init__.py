"""A container orchestrator that speaks the Kubernetes API.

docs/ARCHITECTURE.md follows one pod and one packet through the packages below.
"""

__version__ = "0.1.0"

KUBERNETES_VERSION = "v1.37.0"
