"""A program that wants to lead: `candidate.py KUBECONFIG NAMESPACE NAME` prints its name once it does."""

import sys

from kubernetes import config
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

kubeconfig, namespace, name = sys.argv[1:]
config.load_kube_config(kubeconfig)
leaderelection.LeaderElection(
    electionconfig.Config(
        ConfigMapLock("election", namespace, name),
        lease_duration=6,
        renew_deadline=4,
        retry_period=1,
        onstarted_leading=lambda: print(name, flush=True),
        onstopped_leading=None,
    )
).run()
