"""Who did what, when, and what came of it: events of requests, chosen by a policy, sent to a file and a webhook.

enters   requests on their way through the chain; an audit.k8s.io/v1 Policy
leaves   audit.k8s.io/v1 Events, one JSON line each in the log, lists of them at the webhook
holds    nothing here blocks the loop; a full log holds new requests back rather than lose an event; the webhook's
         buffer drops the newest and counts it; an event is one line whatever a client sent
fails    a disk or a webhook that fails is counted and tried again; requests go on
start    filters.audited -> auditor.Auditor.begin -> policy.Policy.decide -> trail.Trail -> truncate.Truncating -> log, webhook

source  Kubernetes documentation "Auditing"; audit.k8s.io/v1
"""
