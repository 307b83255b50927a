"""What every other package stands on; nothing here knows Kubernetes.

errors   the three error families: ApiError, EdgeError, Bug
clock    wall and monotonic time behind a protocol, so that a simulation can own it
random   randomness behind a protocol, so that the same seed gives the same run
tasks    periodic work, backoff
log      structured events
private_file, private_socket   what only their owner may open
number   what is a number in a text of anybody
xtables  which tables of iptables the kernel has
"""
