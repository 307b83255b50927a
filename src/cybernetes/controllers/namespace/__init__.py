"""Empties namespaces that are being deleted, and lets them go.

enters   Namespaces with a deletion time; discovery; everything in them
leaves   everything deleted, pods first; conditions that say what remains; the finalizer `kubernetes` removed
holds    a namespace goes only after a look at all of its resources found nothing
fails    what can't be listed or deleted is told in a condition, and tried again
start    loop.NamespaceController.sync -> content.empty -> plan.conditions
"""
