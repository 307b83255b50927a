"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: other servers look at writes before they are stored.

enters   webhook configurations through a Lister; writes
leaves   AdmissionReviews sent to those whose rules and selectors match; patched objects, warnings, refusals
holds    a hook with failurePolicy Fail that can't be asked refuses the write; configurations of hooks are exempt
fails    500 where a hook must be asked and can't be
start    plugin.MutatingWebhooks, plugin.ValidatingWebhooks

A rule that names another version of the resource is met by the write in that version, where matchPolicy is Equivalent.
What a hook does costs its own request: its time and the size of its answer are limited, redirects are failures.

source  Kubernetes documentation "Dynamic Admission Control"
"""
