"""The API server's audit log, as its flags ask for it."""

from __future__ import annotations

import sys
from pathlib import Path

from cybernetes.apiserver.audit import policy
from cybernetes.apiserver.audit.auditor import Auditor, Backend
from cybernetes.apiserver.audit.log import LogFile
from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.rotation import Keep, RotatingFile
from cybernetes.apiserver.audit.truncate import Truncating
from cybernetes.apiserver.audit.webhook import Batching, Webhook
from cybernetes.base.clock import Clock
from cybernetes.base.duration import parse as parse_duration
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import Random
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.run.layout import Layout
from cybernetes.run.start.webhooks import open_webhook


def open_audit(args: ApiServerArgs, layout: Layout, clock: Clock, random: Random) -> Auditor | None:
    """None when nothing is audited. Raises EdgeError for files that can't be used."""
    path = _policy_file(args, layout)
    if path is None:
        return None
    numbers = Numbers()
    backends: list[Backend] = []
    log_path = str(layout.audit_log) if args.audit_log_path is None else args.audit_log_path
    if log_path:
        keep = Keep(args.audit_log_maxsize, args.audit_log_maxage, args.audit_log_maxbackup, args.audit_log_compress)
        file: Backend = LogFile(RotatingFile(log_path, keep, clock), numbers, clock)
        if args.audit_log_truncate_enabled:
            file = Truncating(file, args.audit_log_truncate_max_event_size, numbers)
        backends.append(file)
    if args.audit_webhook_config_file:
        backends.append(_webhook(args, numbers, clock, random))
    return Auditor(_read(path), backends, numbers, clock) if backends else None


def _policy_file(args: ApiServerArgs, layout: Layout) -> Path | None:
    if args.audit_policy_file is None:
        return layout.audit_policy if layout.audit_policy.exists() else None
    return Path(args.audit_policy_file) if args.audit_policy_file else None


def _read(path: Path) -> policy.Policy:
    try:
        return policy.parse(path.read_bytes())
    except (OSError, policy.PolicyError) as wrong:
        raise EdgeError("read", str(path), str(wrong), outcome=Outcome.NOT_DONE, retry=Retry.NEVER) from wrong


def _webhook(args: ApiServerArgs, numbers: Numbers, clock: Clock, random: Random) -> Backend:
    transport, path = open_webhook(args.audit_webhook_config_file)
    truncates = args.audit_webhook_truncate_enabled
    batching = Batching(
        buffer_size=args.audit_webhook_batch_buffer_size,
        max_size=args.audit_webhook_batch_max_size,
        max_wait_s=parse_duration(args.audit_webhook_batch_max_wait),
        max_bytes=args.audit_webhook_truncate_max_batch_size if truncates else sys.maxsize,
        per_s=args.audit_webhook_batch_throttle_qps if args.audit_webhook_batch_throttle_enable else 0.0,
        burst=args.audit_webhook_batch_throttle_burst,
        initial_backoff_s=parse_duration(args.audit_webhook_initial_backoff),
    )
    webhook = Webhook(transport, path, batching, numbers, clock, random)
    return Truncating(webhook, args.audit_webhook_truncate_max_event_size, numbers) if truncates else webhook
