"""Counts what the objects of a namespace use of its quotas.

enters   ResourceQuotas; the objects that they limit, when some of them go; every five minutes
leaves   status.hard and status.used
holds    admission charges what is made; this gives back what has gone, and heals what was charged in vain
cost     a count reads all that is limited, page by page; the longer it takes, the less often it is made
fails    a resource that can't be listed leaves the status as it is, and is tried again
start    loop.ResourceQuotaController.sync -> plan.used
"""
