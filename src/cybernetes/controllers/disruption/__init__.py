"""Says how many pods of a budget may be disturbed at the moment.

enters   PodDisruptionBudgets, pods, the scale of their controllers
leaves   status and its condition DisruptionAllowed; Events; on pods that were not disrupted after all, that they are
         no target any more
holds    evictions that were granted count until the pod goes, for two minutes at most
fails    when the number of expected pods can't be found out nothing may be disturbed
start    loop.DisruptionController.sync -> plan.status
"""
