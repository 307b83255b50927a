"""Admission policies: rules and changes in CEL, put in force by bindings.

enters   writes; policies, bindings and parameters as the cluster has them
leaves   refusals, warnings, audit annotations; changed objects
holds    a policy is compiled when a write first meets it, and again when it changed; expressions have a budget
fails    what can't be evaluated is decided by the policy's failurePolicy
start    validating.ValidatingPolicies, mutating.MutatingPolicies -> sources.Invocations.of -> compiled.Compiled

source  Kubernetes documentation "Validating Admission Policy", "Mutating Admission Policy"
"""
