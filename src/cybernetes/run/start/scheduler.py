"""The scheduler on the API."""

from __future__ import annotations

import socket

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import FileTransport
from cybernetes.run import files
from cybernetes.run.start import Setting, numbers
from cybernetes.run.start.serving import ALIVE, Serving, gate, serve_beside
from cybernetes.scheduler.config import Config, ConfigError, decode
from cybernetes.scheduler.extenders import Extender, Terms
from cybernetes.scheduler.loop import Scheduler
from cybernetes.scheduler.numbers import SchedulerNumbers
from cybernetes.scheduler.outside import installed
from cybernetes.wire.http import health
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.tls import client_context


async def serve(setting: Setting) -> None:
    clock = SystemClock()
    config = _config(setting)
    transport = numbers.Counted(FileTransport(setting.layout.kubeconfig("scheduler"), clock))
    client = ApiClient(transport, user_agent="kube-scheduler", clock=clock)
    extenders = [Extender(each, _transport(each)) for each in config.extenders]
    scheduler = Scheduler(
        client, clock=clock, random=SystemRandom(), config=config, host=socket.gethostname(), extenders=extenders
    )
    serving = Serving(
        gate(client, setting.layout, clock),
        _checks(scheduler),
        numbers.registry(
            SchedulerNumbers(scheduler.numbers, scheduler.queue),
            numbers.Requests(setting.config.api_host, (transport,)),
            numbers.Leading("kube-scheduler", lambda: scheduler.leads),
        ),
        {"kubescheduler.config.k8s.io": {"kind": "KubeSchedulerConfiguration", **setting.config.scheduler}},
    )
    where = (setting.config.serving.bind_address, setting.config.serving.scheduler_port)
    await serve_beside(scheduler.run, serving, where, files.scheduler(setting.layout), setting.layout)


def _checks(scheduler: Scheduler) -> dict[str, health.Checks]:
    """Who does not lead knows nothing, and is ready to."""
    synced = {
        "informer-sync": lambda: "" if scheduler.synced or not scheduler.leads else "the cluster is not known yet"
    }
    return {"healthz": ALIVE, "livez": ALIVE, "readyz": {**ALIVE, **synced}}


def _transport(terms: Terms) -> HttpTransport:
    tls = terms.tls
    if tls is None:
        return HttpTransport(terms.url)
    context = client_context(tls.authority, tls.certificate, tls.key, verify=not tls.insecure)
    return HttpTransport(terms.url, context, server_name=tls.server_name)


def _config(setting: Setting) -> Config:
    """The cluster's section; with one API server there is one scheduler, which has nobody to elect against."""
    election = {"leaderElect": setting.config.store.kind == "etcd"}
    try:
        return decode({"leaderElection": election, **setting.config.scheduler}, installed())
    except ConfigError as wrong:
        raise EdgeError(
            "read configuration", "scheduler", str(wrong), outcome=Outcome.NOT_DONE, retry=Retry.NEVER
        ) from wrong
