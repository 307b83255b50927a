"""API Priority and Fairness: who is answered first when there is more to do than the server can.

enters   FlowSchemas and PriorityLevelConfigurations; each request with its user
leaves   the request runs now, waits in a queue, or is refused with 429 and when to come back
promised what a level may use never falls below its guarantee; inside of a level no flow can starve another;
         system:masters and health checks never wait
fails    a level without its object is as if its schemas were not there; the mandatory ones are built in

settings, matching   objects to values; which schema a request belongs to
level, shuffle       one level: queues, fair queuing over virtual time, shuffle sharding. Pure: time comes in
borrowing            what levels lend each other, every ten seconds
gate                 the edge: one filter of the chain, futures of those who wait
numbers, dumps       metrics and /debug/api_priority_and_fairness

source  Kubernetes documentation "API Priority and Fairness"; KEP-1040
"""
