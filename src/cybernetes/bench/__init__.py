"""Puts load on the program's own parts and says what they did with it.

enters   what to measure, and how large
leaves   Results: throughput, latencies, processor time and memory of the processes; a table, JSON, a picture
holds    what is called "through the API" went over TLS to an API server in a process of its own, on a real store
fails    EdgeError when a process did not start or the load did not end in time
start    cli.bench -> scheduler.run, api.run, proxy.run, density.run
"""
