"""Deletes objects whose owners are gone, and carries out orphaning and foreground deletion.

enters   metadata of every object of every resource that can be listed, watched and deleted
leaves   deletions, owner references and finalizers removed; Event OwnerRefInvalidNamespace
holds    nothing is deleted because of the local graph alone: the object and an absent owner are asked for first
fails    an owner of an unknown kind, or a refused write, is tried again later; nothing is deleted meanwhile
start    loop.GarbageCollector.run -> monitors -> graph -> sync -> plan.plan_leaving, plan.plan_owned
"""
