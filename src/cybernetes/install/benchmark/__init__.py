"""Holds a cluster on this machine against the CIS Kubernetes Benchmark: control plane, etcd, kubelets, proxies.

enters   files with their modes and owners; the configuration; what the running servers answer
leaves   one Result for each recommendation: pass, FAIL with what mends it, or what a person must judge
holds    looks only: nothing is changed; a server that does not run is told of, not guessed about
start    facts.collect -> checks.results

source   CIS Kubernetes Benchmark v1.12, sections 1 to 4; numbers are its
"""
