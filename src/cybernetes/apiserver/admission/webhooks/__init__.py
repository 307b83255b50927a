"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: other servers look at writes before they are stored.

enters   webhook configurations through a Lister; writes
leaves   AdmissionReviews sent to those whose rules and selectors match; patched objects, warnings, refusals
holds    a hook with failurePolicy Fail that can't be asked refuses the write; configurations of hooks are exempt
fails    500 where a hook must be asked and can't be
start    plugin.MutatingWebhooks, plugin.ValidatingWebhooks

A rule matches the version in which the write came; other versions of the same resource are not tried.

source  Kubernetes documentation "Dynamic Admission Control"; api-surface 5, Webhooks
"""
