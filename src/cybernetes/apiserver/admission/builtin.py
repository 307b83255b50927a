"""The built-in plugins, in Kubernetes' order."""

from __future__ import annotations

from cybernetes.apiserver.admission.chain import Admission, CatchUp, Plugin
from cybernetes.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from cybernetes.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from cybernetes.apiserver.admission.priority import Priority
from cybernetes.apiserver.admission.service_account import ServiceAccount
from cybernetes.auth.authz import Authorizer
from cybernetes.auth.lister import Lister
from cybernetes.base.random import Random


def build(lister: Lister, authorizer: Authorizer, catch_up: CatchUp, random: Random) -> Admission:
    """The chain of a server.

    catch_up  waits until the lister has everything acknowledged so far; asked only where something is missing
    """
    plugins: list[Plugin] = [
        NamespaceLifecycle(lister, catch_up),
        ServiceAccount(lister, catch_up, random),
        Priority(lister, catch_up),
        DefaultTolerationSeconds(),
    ]
    return Admission(plugins)
