"""The scheduler on the API."""

from __future__ import annotations

import socket

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting
from cybernetes.scheduler.config import Config, ConfigError, decode
from cybernetes.scheduler.extenders import Extender, Terms
from cybernetes.scheduler.loop import Scheduler
from cybernetes.scheduler.outside import installed
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.tls import client_context


async def serve(setting: Setting) -> None:
    clock = SystemClock()
    config = _config(setting)
    client = connect(setting.layout.kubeconfig("scheduler"), user_agent="kube-scheduler", clock=clock)
    extenders = [Extender(each, _transport(each)) for each in config.extenders]
    scheduler = Scheduler(
        client, clock=clock, random=SystemRandom(), config=config, host=socket.gethostname(), extenders=extenders
    )
    notify_ready()
    await scheduler.run()


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
