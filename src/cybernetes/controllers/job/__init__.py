"""Runs pods of Jobs to completion and counts how they ended.

enters   Jobs, pods
leaves   pods created and deleted; finalizers that hold ended pods until they are counted; status; Events
holds    every ended pod is counted once: its uid stands in the status before its finalizer goes, and leaves after
fails    pods that fail are made anew later and later, up to backoffLimit; then the Job fails and says why
start    loop.JobController.sync -> plan.plan
"""
