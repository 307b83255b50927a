"""The scheduler on the API."""

from __future__ import annotations

import socket

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting
from cybernetes.scheduler.loop import Scheduler


async def serve(setting: Setting) -> None:
    clock = SystemClock()
    client = connect(setting.layout.kubeconfig("scheduler"), user_agent="kube-scheduler", clock=clock)
    scheduler = Scheduler(client, clock=clock, random=SystemRandom(), host=socket.gethostname())
    notify_ready()
    await scheduler.run()
