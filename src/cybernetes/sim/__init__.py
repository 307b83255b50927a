"""A whole cluster in one process, in virtual time, under a seed: real components, simulated edges, faults.

enters   a seed
leaves   a transcript of everything that happened; violations of what is promised at every step and in the end
holds    the same seed gives the same transcript, whatever PYTHONHASHSEED is
start    __main__ -> runner.run -> worker.main -> scenario.simulate -> world.World

loop        time that jumps, components that vanish
disk        SQLite's files: what was not synced may be lost
transport   requests and watches: late, lost, cut
machine     a node's containers
components  lives of a component
world       all of these put together
users, workloads, faults   what happens to it
truth, checks, settled   what must hold
plants      bugs put in on purpose, to show that they are found
"""
